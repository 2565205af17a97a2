package stack

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// folder is the state folder while this process holds it.
type folder struct {
	path     string
	identity identity
	lock     *os.File
	log      *os.File // what the servers in this process have to say
}

// identity is what a stack makes up once and keeps: it must not change while
// clients and half-finished uploads rely on it.
type identity struct {
	AccessKey      string `json:"access_key"`
	SecretKey      string `json:"secret_key"`
	RegistrySecret string `json:"registry_secret"`
	ClusterID      string `json:"cluster_id"`
}

// openFolder makes the folder if need be and takes it for this process.
func openFolder(path string) (*folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("making the state folder: %w", err)
	}
	lock, err := lockFolder(path)
	if err != nil {
		return nil, err
	}
	f := &folder{path: path, lock: lock}
	if f.identity, err = loadIdentity(f.join("identity.json")); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if f.log, err = f.openLog("servers.log"); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return f, nil
}

// join returns the absolute path of something in the folder.
func (f *folder) join(elem ...string) string {
	return filepath.Join(append([]string{f.path}, elem...)...)
}

// Close lets go of the folder.
func (f *folder) Close() error { return errors.Join(f.log.Close(), f.lock.Close()) }

// lockFolder takes the folder's lock, which the system drops when this process
// ends, however it ends. The file holds the owner's process id, for the message.
func lockFolder(path string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock of the state folder: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer func() { _ = file.Close() }()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("locking the state folder %s: %w", path, err)
		}
		return nil, fmt.Errorf("the state folder %s is in use by %s: stop that, or choose another folder", path, owner(file))
	}
	if err := errors.Join(file.Truncate(0), writeAt(file, fmt.Sprintln(os.Getpid()))); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the lock of the state folder: %w", err), file.Close())
	}
	return file, nil
}

// writeAt writes text at the beginning of the file.
func writeAt(file *os.File, text string) error {
	_, err := file.WriteAt([]byte(text), 0)
	return err
}

// owner names the process that holds the lock, as well as can be told.
func owner(lock io.Reader) string {
	text, err := io.ReadAll(io.LimitReader(lock, 32))
	if pid := strings.TrimSpace(string(text)); err == nil && pid != "" {
		return "another cpub-dev (process " + pid + ")"
	}
	return "another cpub-dev"
}

// loadIdentity reads the identity, or makes it up and writes it.
func loadIdentity(path string) (identity, error) {
	var id identity
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		id = newIdentity()
		return id, writeIdentity(path, id)
	case err != nil:
		return id, fmt.Errorf("reading the identity of the stack: %w", err)
	}
	if err := json.Unmarshal(text, &id); err != nil {
		return id, fmt.Errorf("reading %s: %w", path, err)
	}
	if id.AccessKey == "" || id.SecretKey == "" || id.RegistrySecret == "" || id.ClusterID == "" {
		return id, fmt.Errorf("reading %s: a value is missing; remove the file to have new credentials made", path)
	}
	return id, nil
}

// newIdentity makes up credentials in the forms that their readers expect.
func newIdentity() identity {
	return identity{
		AccessKey:      "CPUBDEV" + rand.Text()[:13],
		SecretKey:      rand.Text() + rand.Text()[:14],
		RegistrySecret: rand.Text(),
		ClusterID:      newUUID(),
	}
}

// newUUID returns a random UUID (version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// writeIdentity writes the file whole or not at all, readable by its owner.
func writeIdentity(path string, id identity) error {
	text, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the identity of the stack: %w", err)
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the identity of the stack: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("writing the identity of the stack: %w", err)
	}
	return nil
}

// openLog opens a log file for appending. A log that has grown large is put
// aside first, so that the folder holds two of them at most.
func (f *folder) openLog(name string) (*os.File, error) {
	const large = 16 << 20
	path := f.join("log", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the log folder: %w", err)
	}
	if info, err := os.Stat(path); err == nil && info.Size() > large {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, fmt.Errorf("putting the log aside: %w", err)
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	return file, nil
}
