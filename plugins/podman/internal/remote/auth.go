package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// login is what we prove ourselves with.
type login struct {
	signers []ssh.Signer
	// tried says what they are, for messages.
	tried []string
	agent io.Closer
}

// close ends the connection to the agent, which signs until then.
func (l *login) close() {
	if l.agent != nil {
		_ = l.agent.Close() // nothing was written
	}
}

// logIn gathers the keys: that of the identity file, else those of the agent, else those that ssh takes by itself.
func logIn(ctx context.Context, o Options) (*login, error) {
	l := &login{}
	agentErr := l.askAgent(ctx)
	if o.Identity != "" {
		if err := l.only(o.Identity); err != nil {
			l.close()
			return nil, err
		}
		return l, nil
	}
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		file := o.userFile(name)
		if signer, err := readKey(file); err == nil {
			l.add(signer, file)
		}
	}
	if len(l.signers) == 0 {
		l.close()
		return nil, errors.Join(refusedf("there is no key to log in with: set `identity` in the provider's configuration to the file of one, "+
			"or name the agent's socket (SSH_AUTH_SOCK) in the provider's `env`"), agentErr)
	}
	return l, nil
}

func (l *login) add(signer ssh.Signer, where string) {
	l.signers = append(l.signers, signer)
	l.tried = append(l.tried, fmt.Sprintf("%s of %s", ssh.FingerprintSHA256(signer.PublicKey()), where))
}

// askAgent adds the keys of the agent, if there is one.
func (l *login) askAgent(ctx context.Context) error {
	path := os.Getenv("SSH_AUTH_SOCK")
	if path == "" {
		return nil
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("asking the ssh agent (SSH_AUTH_SOCK): %w", err)
	}
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		_ = conn.Close()
		return fmt.Errorf("asking the ssh agent (SSH_AUTH_SOCK): %w", err)
	}
	l.agent = conn
	for _, s := range signers {
		l.add(s, "the agent")
	}
	return nil
}

// only leaves the key of a file alone. One with a passphrase is good if the agent has it too.
func (l *login) only(file string) error {
	signer, err := readKey(file)
	if err == nil {
		l.signers, l.tried = nil, nil
		l.add(signer, file)
		return nil
	}
	var locked *ssh.PassphraseMissingError
	if !errors.As(err, &locked) {
		return refusedf("reading the identity %s: %w", file, err)
	}
	public := locked.PublicKey
	if public == nil {
		public = readPublic(file + ".pub")
	}
	for _, s := range l.signers {
		if public != nil && slices.Equal(s.PublicKey().Marshal(), public.Marshal()) {
			l.signers, l.tried = nil, nil
			l.add(s, "the agent, which has "+file)
			return nil
		}
	}
	return refusedf("the identity %s has a passphrase: give the key to an ssh agent (`ssh-add %s`) and name its socket (SSH_AUTH_SOCK) "+
		"in the provider's `env`, or use a key without one that only the worker can read", file, file)
}

func readKey(file string) (ssh.Signer, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return ssh.ParsePrivateKey(b)
}

// readPublic is the public key of a file; nil if it has none.
func readPublic(file string) ssh.PublicKey {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(b)
	if err != nil {
		return nil
	}
	return key
}

// explain says why a login failed.
func (l *login) explain(o Options, err error) error {
	if err != nil && strings.Contains(err.Error(), "unable to authenticate") { // the library has no type for it
		return refusedf("%s at %s lets none of these keys in: %s; add the public one to ~/.ssh/authorized_keys there: %w",
			o.User, o.Address, strings.Join(l.tried, ", "), err)
	}
	return err
}
