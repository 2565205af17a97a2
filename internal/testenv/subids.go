package testenv

import "testing"

// SubIDs gives rootful containers of this machine ids for user namespaces, as Podman's and other runtimes' tests need them.
func SubIDs(t testing.TB) {
	t.Helper()
	ensureSubIDs(t)
}
