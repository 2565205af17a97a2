//go:build !unix

package doctor

func ownerOf(string) (uid int, ok bool) { return 0, false }
