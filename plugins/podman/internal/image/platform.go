package image

import "strings"

// SplitPlatform reads os/arch[/variant].
func SplitPlatform(p string) (system, arch, variant string) {
	system, rest, _ := strings.Cut(p, "/")
	arch, variant, _ = strings.Cut(rest, "/")
	return system, arch, variant
}
