package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// buildVersion is what --json prints.
type buildVersion struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion(c *stdio) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print what this build is",
		Args:  needs(0, 0, "no argument"),
		RunE: verb(func(*cobra.Command, []string) error {
			v := readVersion()
			if asJSON {
				return c.printJSON(v)
			}
			return printLines(c.out, []string{fmt.Sprintf("cpub %s (%s, %s)", v.Version, v.Go, v.Platform)})
		}),
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

// readVersion takes the version from what Go put into the binary: the module's version or the commit.
func readVersion() buildVersion {
	v := buildVersion{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// release is the version for `required_version`: such as "0.1.0", or empty for a build that is no release. Go calls a commit with no
// release before it v0.0.0-TIME-COMMIT, which would satisfy no constraint.
func (v buildVersion) release() string {
	if strings.HasPrefix(v.Version, "v0.0.0-") {
		return ""
	}
	return strings.TrimPrefix(v.Version, "v")
}
