package doctor

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/sdk"
)

// registryCAs tells whether Podman has the CAs of the registries that worker.hcl gives one.
func registryCAs(f *Facts) []sdk.Finding {
	var findings []sdk.Finding
	for _, r := range f.Registries {
		if r.CA != "" && !r.Insecure && f.Err == nil {
			found := registryCA(f, r)
			found.Subject = r.Host
			findings = append(findings, found)
		}
	}
	return findings
}

func registryCA(f *Facts, r sdk.Registry) sdk.Finding {
	switch {
	case f.Own:
		return fine("Podman is started with the CA of registry %s", r.Host)[0]
	case f.Host == nil:
		return fine("whether Podman trusts the CA of registry %s cannot be seen from here", r.Host)[0]
	case knownToSystem(r.CA):
		return fine("the host trusts the CA of registry %s", r.Host)[0]
	}
	return inFolders(client.CertFolders(f.User.Home, r.Host), r)
}

// inFolders looks for a registry's CA where Podman does: in the first folder that the registry has.
func inFolders(folders []string, r sdk.Registry) sdk.Finding {
	f := sdk.Finding{
		Detail: fmt.Sprintf("Podman has no CA for registry %s: `ca_file` in worker.hcl serves the worker's own checks alone", r.Host),
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
				return sdk.Finding{OK: true, Detail: fmt.Sprintf("Podman finds the CA of registry %s in %s", r.Host, dir)}
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
