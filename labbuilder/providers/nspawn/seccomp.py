"""A filter that keeps a machine from AF_VSOCK: no namespace holds it, and the hypervisor of this host may listen there.

The kernel's classic BPF (seccomp(2), linux/bpf_common.h): words of code, two jumps and a value. It is inherited by all
that the machine ever runs.
"""

from __future__ import annotations

import ctypes
import errno
import struct

from labbuilder.providers.nspawn import linux

_AF_VSOCK = 40
_LOAD, _AND, _IF_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data; little endian, so its low half
_ALLOW, _ERRNO = 0x7FFF_0000, 0x0005_0000
_WITHOUT_X32 = 0xBFFF_FFFF
# architecture (linux/audit.h) to the numbers of socket and of socketcall, whose arguments no filter can see
_CALLS = {
    0xC000_003E: (41, None),  # x86-64, and x32
    0x4000_0003: (359, 102),  # i386
    0xC000_00B7: (198, None),  # arm64
    0x4000_0028: (281, 102),  # arm
}


def program() -> bytes:
    """The filter, as the kernel reads it."""
    return b"".join(_block(architecture, *calls) for architecture, calls in _CALLS.items()) + _word(_RETURN, _ALLOW)


def _block(architecture: int, socket: int, socketcall: int | None) -> bytes:
    """Allow or refuse a call of one architecture; one of another goes on after it."""
    call = _word(_IF_EQUAL, socketcall, no=1) + _word(_RETURN, _ERRNO | errno.ENOSYS) if socketcall is not None else b""
    body = (
        _word(_LOAD, _NUMBER)
        + _word(_AND, _WITHOUT_X32)
        + call
        + _word(_IF_EQUAL, socket, no=3)
        + _word(_LOAD, _FIRST_ARGUMENT)
        + _word(_IF_EQUAL, _AF_VSOCK, no=1)
        + _word(_RETURN, _ERRNO | errno.EAFNOSUPPORT)
        + _word(_RETURN, _ALLOW)
    )
    return _word(_LOAD, _ARCHITECTURE) + _word(_IF_EQUAL, architecture, no=len(body) // 8) + body


def _word(code: int, value: int, *, no: int = 0) -> bytes:
    return struct.pack("<HBBI", code, 0, no, value)


def refuse_vsock() -> None:
    """Filter this process and all that come of it; the caller may still administer the system."""
    words = program()
    buffer = ctypes.create_string_buffer(words)
    filter_ = ctypes.create_string_buffer(struct.pack("@HP", len(words) // 8, ctypes.addressof(buffer)))
    linux.prctl(linux.PR_SET_SECCOMP, linux.SECCOMP_MODE_FILTER, ctypes.addressof(filter_))
