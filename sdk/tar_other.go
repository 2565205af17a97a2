//go:build !unix

package sdk

const nonBlock = 0
