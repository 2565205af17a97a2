package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// hostKeys decide whether a machine is the one that is meant, by the key that it shows.
type hostKeys struct {
	check ssh.HostKeyCallback
	// algorithms are those of the keys that are known, so that the machine shows one of these and no other; nil means any.
	algorithms []string
}

// knowHost makes the check of the machine at an address, by the first that there is: the pinned key, the given file, the user's and the
// system's files.
func knowHost(o Options) (hostKeys, error) {
	if o.HostKey != "" {
		return pinned(o.HostKey)
	}
	if o.Machine {
		return firstSeen(), nil
	}
	files := []string{o.KnownHosts}
	if o.KnownHosts == "" {
		files = existing(o.userFile("known_hosts"), "/etc/ssh/ssh_known_hosts")
	}
	return known(o, files)
}

func existing(names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		_, err := os.Stat(name)
		return errors.Is(err, fs.ErrNotExist)
	})
}

// pinned accepts one key alone.
func pinned(text string) (hostKeys, error) {
	want, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil || len(strings.TrimSpace(string(rest))) > 0 {
		return hostKeys{}, refusedf("host_key is no public key: write one as `ssh-keyscan` and /etc/ssh/ssh_host_ed25519_key.pub show it, " +
			"such as `ssh-ed25519 AAAA…`")
	}
	check := func(address string, _ net.Addr, got ssh.PublicKey) error {
		if slices.Equal(got.Marshal(), want.Marshal()) {
			return nil
		}
		return refusedf("%s shows another host key than host_key pins: it is %s, and %s is pinned. %s", address, describe(got), describe(want), changed)
	}
	return hostKeys{check: check, algorithms: algorithmsOf(want.Type())}, nil
}

// changed says what another key than the known one means.
const changed = "Either the machine was set up anew, or somebody else answers in its place: find out which before you trust the new key"

// firstSeen accepts whatever key comes first, and no other afterwards: the virtual machine of `podman machine` on this machine's loopback
// makes its key at its first start, and nobody tells it to us.
func firstSeen() hostKeys {
	var mu sync.Mutex
	var first ssh.PublicKey
	return hostKeys{check: func(address string, _ net.Addr, got ssh.PublicKey) error {
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			first = got
		}
		if !slices.Equal(got.Marshal(), first.Marshal()) {
			return refusedf("the virtual machine at %s shows another host key than before: it is %s, and was %s. "+
				"If it was made anew, start the worker again", address, describe(got), describe(first))
		}
		return nil
	}}
}

// known accepts what files of known hosts name.
func known(o Options, files []string) (hostKeys, error) {
	check, err := knownhosts.New(files...)
	if err != nil {
		return hostKeys{}, refusedf("reading the known hosts: %w", err)
	}
	have := certificates(files)
	var unknown *knownhosts.KeyError
	// Asked with a key that nobody has, it tells those that there are.
	if err := check(o.Address, noAddr{}, noKey{}); errors.As(err, &unknown) {
		for _, k := range unknown.Want {
			have = append(have, algorithmsOf(k.Key.Type())...)
		}
	}
	return hostKeys{algorithms: have, check: func(address string, remote net.Addr, got ssh.PublicKey) error {
		return explain(o, address, got, check(address, remote, got))
	}}, nil
}

// certificates are the signatures of certificates of hosts, if one of the files names an authority of such.
func certificates(files []string) []string {
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil && bytes.Contains(b, []byte("@cert-authority")) {
			return []string{
				ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
				ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
			}
		}
	}
	return nil
}

// explain says what is wrong with a key, and what to do.
func explain(o Options, address string, got ssh.PublicKey, err error) error {
	var key *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &revoked):
		return refusedf("the host key of %s (%s) is revoked in %s:%d", address, describe(got), revoked.Revoked.Filename, revoked.Revoked.Line)
	case !errors.As(err, &key):
		return refusedf("checking the host key of %s: %w", address, err)
	case len(key.Want) > 0:
		where := key.Want[0]
		return refusedf("%s shows another host key than is known: it is %s, and %s:%d has %s. %s", address, describe(got),
			where.Filename, where.Line, describe(where.Key), changed)
	}
	file := o.KnownHosts
	if file == "" {
		file = o.userFile("known_hosts")
	}
	line := knownhosts.Line([]string{knownhosts.Normalize(address)}, got)
	return refusedf("the host key of %s is not known: it shows %s. Compare that with what `ssh-keygen -lf` says there of /etc/ssh/ssh_host_*_key.pub; "+
		"if it is the same, add this line to %s:\n%s\nor set `host_key = %q` in the provider's configuration",
		address, describe(got), file, line, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(got))))
}

func describe(key ssh.PublicKey) string {
	return fmt.Sprintf("%s %s", key.Type(), ssh.FingerprintSHA256(key))
}

// algorithmsOf are the signatures that a key of a type is proven with; those with SHA-1 are left out.
func algorithmsOf(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}

// noKey is a key that no machine has, and noAddr an address that nobody is at.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return nil }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }

type noAddr struct{}

func (noAddr) Network() string { return "tcp" }
func (noAddr) String() string  { return "0.0.0.0:0" }
