//go:build !unix

package doctor

func owner(string) (uid int, ok bool) { return 0, false }
