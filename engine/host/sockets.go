package host

import "os"

// longestTempDir is how many bytes the temporary folder's path may have: a socket's path has 104 on some systems and 108 on others, of
// which some 60 are what stands below that folder.
const longestTempDir = 40

// shortTempDir is the temporary folder, or /tmp where its path leaves a socket's no room.
func shortTempDir() string {
	dir := os.TempDir()
	if len(dir) <= longestTempDir {
		return dir
	}
	return "/tmp"
}
