//go:build !unix

package hostfs

// nonBlock is nothing here: there are no pipes of containers to open.
const nonBlock = 0
