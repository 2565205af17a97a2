package doctor

import (
	"fmt"

	"github.com/containerpub/cpub/sdk"
)

// networkBackend tells whether what makes the networks of containers is there.
func networkBackend(f *Facts) []sdk.Finding {
	const reset = "install netavark and aardvark-dns, remove `network_backend` from containers.conf, and make the store anew where nothing in it is needed: `podman system reset`"
	if f.Info == nil {
		return nil
	}
	switch backend := f.Info.Host.NetworkBackend; backend {
	case "cni":
		return warning("networks are made by CNI, which Podman 5 drops", reset)
	case "netavark":
		path := f.Info.Host.NetworkBackendInfo.Path // Podman 4.6 and newer say it
		if path == "" && f.Host != nil {
			path = f.Host.Find(backend, helperFolders()...)
		}
		if f.Host != nil && (path == "" || !f.Host.Exists(path)) {
			return warning("netavark is not there: containers get no network but none, and pods none at all", "install it: `apt-get install netavark`")
		}
		return fine("netavark makes the networks of containers")
	default:
		return warning(fmt.Sprintf("Podman names no network backend that is known here, but %q", backend), reset)
	}
}

// dns tells whether containers find one another by name.
func dns(f *Facts) []sdk.Finding {
	if f.Info == nil || f.Info.Host.NetworkBackend != "netavark" {
		return nil
	}
	path := f.Info.Host.NetworkBackendInfo.DNS.Path
	if path == "" && f.Host != nil {
		path = f.Host.Find("aardvark-dns", helperFolders()...)
	}
	if path == "" && f.Host == nil {
		return nil
	}
	if path == "" || f.Host != nil && !f.Host.Exists(path) {
		return warning("aardvark-dns is not there: containers of one network do not find one another by name", "install it: `apt-get install aardvark-dns`")
	}
	return fine("aardvark-dns answers for the names of containers")
}

// rootlessNetwork tells whether a rootless Podman can give containers a network.
func rootlessNetwork(f *Facts) []sdk.Finding {
	if f.Info == nil || !f.rootless() {
		return nil
	}
	program := f.Info.Host.RootlessNetworkCmd // Podman 4.8 and newer say it
	if program == "" {
		program = "slirp4netns"
	}
	path := f.Info.Host.Slirp4NetNS.Executable
	if program == "pasta" {
		path = f.Info.Host.Pasta.Executable
	}
	if path == "" && f.Host != nil {
		path = f.Host.Find(program, append(helperFolders(), programFolders(f.Env["PATH"])...)...)
	}
	if path != "" {
		return fine("%s at %s connects rootless containers", program, path)
	}
	if program == "pasta" {
		return warning("pasta is not installed: containers get no network but none", "install it (`apt-get install passt`), or slirp4netns, "+
			"and write `default_rootless_network_cmd = \"slirp4netns\"` into the section [network] of containers.conf; then start the service again")
	}
	return warning(program+" is not installed: containers get no network but none", "install it: `apt-get install "+program+"`")
}
