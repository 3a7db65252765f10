# Management has an account of its own: root's login shell, password and rc files are the user's to change.
grep -q '^labbuilder:' "$root/etc/passwd" ||
    chroot "$root" useradd --non-unique --uid 0 --gid 0 --home-dir /root --no-create-home --shell /bin/sh --password '*' labbuilder
