package testenv

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Far is a network namespace that only one line leads to: a machine far away, as far as the network goes. Files and processes are this
// machine's. The kernel of the test machines has no netem, so what is lost is dropped by a firewall, as bad lines do, and what is to come
// late must be delayed by a proxy.
type Far struct {
	// Namespace is its name, and Address the IP address there that is reached from here.
	Namespace, Address string
}

// StartFar makes a namespace. It is removed when the test ends.
func StartFar(t testing.TB) *Far {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("making a network namespace needs root: run the tests as root")
	}
	var b [2]byte
	_, _ = rand.Read(b[:]) // it never fails
	name := fmt.Sprintf("cpub%x", b)
	// A network of two addresses, of those that nobody has.
	address := func(host byte) string { return fmt.Sprintf("10.213.%d.%d", b[0], b[1]&^3+host) }
	here, there := address(1), address(2)
	f := &Far{Namespace: name, Address: there}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "delete", name).CombinedOutput(); err != nil { // and the line with it
			t.Errorf("removing the namespace: %v\n%s", err, out)
		}
	})
	run(t, "ip", "netns", "add", name)
	run(t, "ip", "link", "add", name+"a", "type", "veth", "peer", "name", name+"b", "netns", name)
	run(t, "ip", "address", "add", here+"/30", "dev", name+"a")
	run(t, "ip", "link", "set", name+"a", "up")
	f.run(t, "ip", "address", "add", there+"/30", "dev", name+"b")
	f.run(t, "ip", "link", "set", name+"b", "up")
	f.run(t, "ip", "link", "set", "lo", "up")
	return f
}

func run(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (f *Far) run(t testing.TB, args ...string) {
	t.Helper()
	run(t, append([]string{"ip", "netns", "exec", f.Namespace}, args...)...)
}

// Lose drops one in so many packets of either direction.
func (f *Far) Lose(t testing.TB, oneIn int) {
	t.Helper()
	p := fmt.Sprintf("%.4f", 1/float64(oneIn))
	for _, chain := range []string{"INPUT", "OUTPUT"} {
		f.run(t, "iptables", "--append", chain, "--match", "statistic", "--mode", "random", "--probability", p, "--jump", "DROP")
	}
}

// Cut drops every packet: nothing comes, and nobody says so.
func (f *Far) Cut(t testing.TB) {
	t.Helper()
	for _, chain := range []string{"INPUT", "OUTPUT"} {
		f.run(t, "iptables", "--insert", chain, "--jump", "DROP")
	}
}

// Mend ends what Cut and Lose do.
func (f *Far) Mend(t testing.TB) {
	t.Helper()
	f.run(t, "iptables", "--flush")
}
