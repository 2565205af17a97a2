package doctor

import "github.com/containerpub/cpub/sdk"

// version tells whether the service may lack a fix that builds of strangers need.
func version(f *Facts) []sdk.Finding {
	if f.Info == nil {
		return nil
	}
	have := f.Info.Version.Version
	if f.atLeast("4.9.4") {
		return fine("Podman %s", have)
	}
	return warning("Podman "+have+" may lack the fix for CVE-2024-1753 (a hostile Containerfile can reach the host's files while it is built); "+
		"a distribution may have added it to an older version, which its API does not show",
		"check the distribution's changelog, or upgrade to Podman 4.9.4 or newer")
}

// database tells whether the store's database is one that Podman still keeps.
func database(f *Facts) []sdk.Finding {
	if f.Info == nil || f.Info.Host.DatabaseBackend == "" {
		return nil
	}
	if f.Info.Host.DatabaseBackend == "boltdb" {
		return warning("Podman keeps its store's records in BoltDB, which Podman 6 drops",
			"remove `database_backend` from containers.conf, and make the store anew where nothing in it is needed: `podman system reset`")
	}
	return fine("the store's records are in %s", f.Info.Host.DatabaseBackend)
}
