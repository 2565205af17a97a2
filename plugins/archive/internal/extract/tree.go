package extract

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

const (
	dirMode    fs.FileMode = 0o755
	fileMode   fs.FileMode = 0o644
	scriptMode fs.FileMode = 0o755
	copyBuffer             = 256 << 10
)

// node is what was made under a name.
type node struct {
	kind   kind
	size   int64  // of a file
	target string // of a symbolic link
}

type kind int

const (
	kindDir kind = iota
	kindFile
	kindSymlink
)

func (k kind) String() string {
	return [...]string{"a folder", "a file", "a symbolic link"}[k]
}

// tree writes entries below a root, which the operating system confines every path to, and knows what it wrote: no path
// that it opens leads through a symbolic link.
type tree struct {
	root    *os.Root
	budget  *budget
	nodes   map[string]node
	at      *os.Root // the folder that was worked in last, so that its path is not walked again; or root
	atName  string
	entries int64
	buf     []byte
	notify  func(entries, bytes int64)
}

func newTree(root *os.Root, b *budget, notify func(entries, bytes int64)) *tree {
	if notify == nil {
		notify = func(int64, int64) {}
	}
	return &tree{root: root, budget: b, nodes: map[string]node{".": {kind: kindDir}}, at: root, atName: ".", buf: make([]byte, copyBuffer), notify: notify}
}

// dir makes a folder; that it is there already is fine.
func (t *tree) dir(name string) error {
	if err := t.parents(name); err != nil {
		return err
	}
	if n, ok := t.nodes[name]; ok {
		if n.kind != kindDir {
			return &Error{Entry: name, Reason: "it is a folder here, and was " + n.kind.String() + " before"}
		}
		return nil
	}
	t.entries++
	return t.mkdir(name)
}

// file writes a file of size bytes, and closes it. A tar may replace what an earlier entry wrote.
func (t *tree) file(name string, mode fs.FileMode, size int64, content io.Reader, replace bool) error {
	if err := t.budget.fits(size); err != nil {
		return err
	}
	if err := t.vacate(name, kindFile, replace); err != nil {
		return err
	}
	perm := fileMode
	if mode&0o111 != 0 {
		perm = scriptMode
	}
	dir, err := t.folder(path.Dir(name))
	if err != nil {
		return err
	}
	f, err := dir.OpenFile(path.Base(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, perm)
	if err != nil {
		return t.collision(name, err)
	}
	n, err := t.copy(f, content)
	if err == nil {
		err = f.Chmod(perm) // whatever the umask
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return inEntry(name, err)
	}
	t.nodes[name] = node{kind: kindFile, size: n}
	t.done()
	return nil
}

// copy writes content and counts it while it does.
func (t *tree) copy(w io.Writer, content io.Reader) (total int64, err error) {
	for {
		n, err := content.Read(t.buf)
		if berr := t.budget.extracted(int64(n)); berr != nil {
			return total, berr
		}
		if _, werr := w.Write(t.buf[:n]); werr != nil {
			return total, werr
		}
		total += int64(n)
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// symlink makes a symbolic link that stays inside.
func (t *tree) symlink(name, target string, replace bool) error {
	if err := checkTarget(name, target); err != nil {
		return err
	}
	if err := t.vacate(name, kindSymlink, replace); err != nil {
		return err
	}
	dir, err := t.folder(path.Dir(name))
	if err != nil {
		return err
	}
	if err := dir.Symlink(target, path.Base(name)); err != nil {
		return t.collision(name, err)
	}
	t.nodes[name] = node{kind: kindSymlink, target: target}
	t.done()
	return nil
}

// hardlink makes another name for an entry that is there.
func (t *tree) hardlink(name, target string) error {
	n, ok := t.nodes[target]
	switch {
	case !ok:
		return &Error{Entry: name, Reason: fmt.Sprintf("it is a hard link to %q, which no earlier entry has", shorten(target))}
	case n.kind == kindSymlink:
		return t.symlink(name, n.target, true)
	case n.kind == kindDir:
		return &Error{Entry: name, Reason: fmt.Sprintf("it is a hard link to %q, which is a folder", shorten(target))}
	case name == target:
		return nil
	}
	if err := t.budget.extracted(n.size); err != nil {
		return err
	}
	if err := t.vacate(name, kindFile, true); err != nil {
		return err
	}
	if err := t.root.Link(target, name); err != nil {
		return t.collision(name, err)
	}
	t.nodes[name] = n
	t.done()
	return nil
}

// vacate makes the folders above a name, and takes away what an earlier entry of the same name left.
func (t *tree) vacate(name string, k kind, replace bool) error {
	if err := t.parents(name); err != nil {
		return err
	}
	n, ok := t.nodes[name]
	switch {
	case !ok:
		return nil
	case n.kind == kindDir:
		return &Error{Entry: name, Reason: "it is " + k.String() + " here, and was a folder before"}
	case !replace:
		return &Error{Entry: name, Reason: "the archive has it twice"}
	}
	if err := t.root.Remove(name); err != nil {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	delete(t.nodes, name)
	return nil
}

// parents makes the folders above a name. Each counts as an entry, so that deep names are no way around max_entries.
func (t *tree) parents(name string) error {
	dir := path.Dir(name)
	n, ok := t.nodes[dir]
	if ok && n.kind == kindDir {
		return nil
	}
	if ok {
		return &Error{Entry: name, Reason: fmt.Sprintf("it lies in %q, which is %s", shorten(dir), n.kind)}
	}
	if err := t.parents(dir); err != nil {
		return err
	}
	if err := t.budget.entry(); err != nil {
		return err
	}
	return t.mkdir(dir)
}

func (t *tree) mkdir(name string) error {
	dir, err := t.folder(path.Dir(name))
	if err != nil {
		return err
	}
	base := path.Base(name)
	if err := dir.Mkdir(base, dirMode); err != nil {
		return t.collision(name, err)
	}
	if err := dir.Chmod(base, dirMode); err != nil { // whatever the umask
		return fmt.Errorf("setting the mode of %s: %w", name, err)
	}
	t.nodes[name] = node{kind: kindDir}
	return nil
}

// folder opens a folder that is there, from the one that was worked in last where that is above it.
func (t *tree) folder(name string) (*os.Root, error) {
	if name == t.atName {
		return t.at, nil
	}
	from, rel := t.root, name
	if below, ok := strings.CutPrefix(name, t.atName+"/"); ok {
		from, rel = t.at, below
	}
	if rel == "." {
		t.close()
		return t.root, nil
	}
	opened, err := from.OpenRoot(rel)
	if err != nil {
		return nil, fmt.Errorf("opening folder %s: %w", shorten(name), err)
	}
	t.close()
	t.at, t.atName = opened, name
	return opened, nil
}

// close lets go of the folder that was worked in last.
func (t *tree) close() {
	if t.at != t.root {
		_ = t.at.Close()
	}
	t.at, t.atName = t.root, "."
}

// collision explains why a name that no entry had before is taken all the same: the file system folds names.
func (t *tree) collision(name string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		return &Error{Entry: name, Reason: "another entry has the same name but for upper and lower case, and this file system cannot hold both"}
	}
	return fmt.Errorf("extracting %s: %w", name, err)
}

func (t *tree) done() {
	t.entries++
	if t.entries%64 == 0 {
		t.notify(t.entries, t.budget.bytes)
	}
}

// inEntry says in which entry something happened.
func inEntry(name string, err error) error {
	var known *Error
	if errors.As(err, &known) {
		if known.Entry == "" {
			return &Error{Entry: shorten(name), Reason: known.Reason, Err: known.Err}
		}
		return known
	}
	return fmt.Errorf("extracting %s: %w", shorten(name), err)
}
