// Package archtest holds the tests that keep the house in order: which folder may import which of our own packages,
// and what a binary must never link. Which third-party packages may be imported where stands in .golangci.yml (depguard).
package archtest
