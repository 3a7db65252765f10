# -*- mode: ruby -*-
# vi: set ft=ruby :
# Written by labbuilder: the lab aula, mark 5eed1e55.
#
#     vagrant up                 all machines
#     vagrant ssh server1        a shell in one, as root
#     vagrant destroy -f         all gone
#
# Each machine's cards, by their name in the machine:
#     enp0s3  an internal network of this lab alone
#     enp0s8  bridged: the LAN (servers)
#     enp0s9  NAT, for management alone: Vagrant's SSH is forwarded to it; no route and no DNS comes from it

Vagrant.require_version ">= 2.3.2"

MACHINES = {
  "server1" => { internal: "02892F219E84", bridged: "024A075AE441", management: "0242A7276007", ssh: 2201 },
  "server2" => { internal: "0228E7097AD3", bridged: "02F76B2F2841", management: "0244F6BBFECA", ssh: 2202 },
  "client1" => { internal: "02454A3A5E8D", management: "02B8FE28976F", ssh: 2203 },
}
SLOTS = { internal: 1, bridged: 2, management: 3 } # which of VirtualBox's adapters each card is
INTERNAL = "labbuilder-aula-5eed1e55"
BRIDGE = ENV["LAB_BRIDGE"] # your interface that has the LAN; default: the only one there is, else Vagrant asks
HARDWARE = [
  "--memory", "512", "--cpus", "1", "--rtc-use-utc", "on", "--graphicscontroller", "vmsvga",
  "--vram", "16", "--audio-enabled", "off", "--usb-ohci", "off", "--boot1", "disk",
  "--boot2", "none", "--boot3", "none", "--boot4", "none", "--uart1", "0x3F8", "4",
  "--chipset", "piix3", "--ioapic", "on", "--pae", "off",
]

Vagrant.configure("2") do |config|
  config.vm.box = "labbuilder/bookworm-0123456789ab"
  config.vm.box_url = "file://#{File.expand_path("lab.box", __dir__)}"
  config.vm.box_download_checksum_type = "sha256"
  config.vm.box_download_checksum = "abababababababababababababababababababababababababababababababab"
  config.vm.box_check_update = false
  config.vm.guest = :debian
  config.vm.boot_timeout = 600
  config.vm.usable_port_range = 2200..2999
  config.vm.synced_folder ".", "/vagrant", disabled: true
  config.ssh.username = "root"
  config.ssh.private_key_path = File.join(__dir__, "keys/user")
  config.ssh.sudo_command = "%c" # root needs no sudo, and the box has none
  config.ssh.insert_key = false
  config.vbguest.auto_update = false if Vagrant.has_plugin?("vagrant-vbguest")

  MACHINES.each do |name, card|
    folder = File.join(__dir__, "machines", name)

    config.vm.define name do |machine|
      machine.vm.base_mac = card[SLOTS.key(1)]
      machine.vm.network "forwarded_port", id: "ssh", guest: 22, host: card[:ssh], host_ip: "127.0.0.1",
                                           adapter: SLOTS[:management], auto_correct: true

      machine.vm.provider "virtualbox" do |vb|
        vb.name = "aula-#{name}"
        vb.default_nic_type = "virtio"
        vb.auto_nat_dns_proxy = false # no DNS comes from management
        vb.check_guest_additions = false
        vb.functional_vboxsf = false

        vb.network_adapter SLOTS[:management], :nat
        vb.network_adapter SLOTS[:internal], :intnet, intnet: INTERNAL, auto_config: false
        vb.network_adapter SLOTS[:bridged], :bridged, bridge: BRIDGE, auto_config: false if card[:bridged]

        vb.customize ["modifyvm", :id, *HARDWARE, "--uart-mode1", "file", File.join(folder, "console.log")]
        SLOTS.each { |kind, slot| vb.customize ["modifyvm", :id, "--mac-address#{slot}", card[kind]] if card[kind] }
        vb.customize ["modifyvm", :id, "--nat-net#{SLOTS[:management]}", "10.0.99.0/24"]
        vb.customize ["storageattach", :id, "--storagectl", "disks", "--port", "1", "--device", "0",
                      "--type", "dvddrive", "--medium", File.join(folder, "seed.iso")]
        # a ROM with nothing in it: VirtualBox's own hangs in a reboot after a saved state or a snapshot was gone on from
        vb.customize ["setextradata", :id, "VBoxInternal/Devices/pcbios/0/Config/LanBootRom", File.join(folder, "lan-boot.rom")]
        vb.customize ["setextradata", :id, "labbuilder/mark", "5eed1e55"]
      end

      machine.vm.provision "lab", type: "shell", path: File.join(folder, "provision.sh"), privileged: false # root already
    end
  end
end
