//go:build !unix

package container

// nonBlock is nothing here: there are no pipes of containers to open.
const nonBlock = 0
