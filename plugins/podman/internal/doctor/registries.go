package doctor

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/sdk"
)

// registries tells whether Podman has the CAs of the registries that worker.hcl gives one.
func registries(c *client.Client, all []sdk.Registry) []sdk.Finding {
	var findings []sdk.Finding
	for _, r := range all {
		if r.CA != "" && !r.Insecure {
			findings = append(findings, registryCA(c, r))
		}
	}
	return findings
}

func registryCA(c *client.Client, r sdk.Registry) sdk.Finding {
	f := sdk.Finding{Name: "podman_registry_ca", OK: true}
	switch {
	case c.Own():
		f.Detail = fmt.Sprintf("Podman is started with the CA of registry %s", r.Host)
	case !c.Local():
		f.Detail = fmt.Sprintf("whether Podman trusts the CA of registry %s cannot be seen from here", r.Host)
	case knownToSystem(r.CA):
		f.Detail = fmt.Sprintf("the host trusts the CA of registry %s", r.Host)
	default:
		return inFolders(client.CertFolders(homeOf(c.URI), r.Host), r)
	}
	return f
}

// inFolders looks for a registry's CA where Podman does: in the first folder that the registry has.
func inFolders(folders []string, r sdk.Registry) sdk.Finding {
	f := sdk.Finding{
		Name: "podman_registry_ca", Detail: fmt.Sprintf("Podman has no CA for registry %s: `ca_file` in worker.hcl serves the worker's own checks alone", r.Host),
		Remedy: "put the registry's CA into " + filepath.Join(folders[1], "ca.crt"),
	}
	for _, dir := range folders {
		files, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		f.Detail = fmt.Sprintf("%s, from which Podman takes the CA of registry %s, does not hold that of `ca_file` in worker.hcl", dir, r.Host)
		f.Remedy = "put the registry's CA into " + filepath.Join(dir, "ca.crt")
		for _, file := range files {
			pem, err := os.ReadFile(filepath.Join(dir, file.Name()))
			if err == nil && strings.HasSuffix(file.Name(), ".crt") && holdsCA(pem, r.CA) {
				return sdk.Finding{Name: f.Name, OK: true, Detail: fmt.Sprintf("Podman finds the CA of registry %s in %s", r.Host, dir)}
			}
		}
		return f
	}
	return f
}

// holdsCA tells whether a file holds the first certificate of a text.
func holdsCA(file []byte, ca string) bool {
	want, _ := pem.Decode([]byte(ca))
	for block, rest := pem.Decode(file); want != nil && block != nil; block, rest = pem.Decode(rest) {
		if bytes.Equal(block.Bytes, want.Bytes) {
			return true
		}
	}
	return false
}

// knownToSystem tells whether the host trusts a CA for every purpose.
func knownToSystem(ca string) bool {
	block, _ := pem.Decode([]byte(ca))
	pool, err := x509.SystemCertPool()
	if block == nil || err != nil {
		return false
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return false
	}
	_, err = cert.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil
}

// homeOf is the home of the user whose service listens at a URI.
func homeOf(uri string) string {
	uid, ok := owner(strings.TrimPrefix(uri, "unix://"))
	if !ok {
		uid = os.Getuid()
	}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.HomeDir
	}
	return "/root"
}
