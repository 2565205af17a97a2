package fetch

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// The files of a download's folder.
const (
	dataFile  = "data"   // what has arrived, with holes
	wholeFile = "object" // all of it, verified; never written to, because others may have links to it
	partsFile = "parts"  // first line: identity; then a finished line for each part, as they come
	lockFile  = "lock"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// identity is what makes two downloads be of the same bytes, cut in the same way.
type identity struct {
	Bucket    string `json:"bucket"`
	Key       string `json:"key"`
	VersionID string `json:"version_id,omitempty"`
	ETag      string `json:"etag"` // with its quotes
	Size      int64  `json:"size"`
	PartSize  int64  `json:"part_size"`
}

// finishedPart says that a part is on disk. The checksum tells whether it still is, whatever happened to the machine.
type finishedPart struct {
	Part int    `json:"part"`
	CRC  uint32 `json:"crc32c"`
}

// download is a folder with as much of an object as has arrived.
type download struct {
	id   identity
	dir  string
	data *os.File // wholeFile, for reading, or dataFile

	mu    sync.Mutex
	log   *os.File
	there map[int]bool
}

// openDownload opens the folder, and keeps what is of the same object and intact.
func openDownload(dir string, id identity, logf func(string, ...any)) (*download, error) {
	if d, err := openWhole(dir, id); d != nil || err != nil {
		return d, err
	}
	data, err := os.OpenFile(filepath.Join(dir, dataFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the download: %w", err)
	}
	d := &download{id: id, dir: dir, data: data, there: map[int]bool{}}
	kept, _, err := d.read()
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	if err := d.rewrite(kept); err != nil {
		return nil, errors.Join(err, d.close())
	}
	if len(kept) > 0 {
		logf("%d of %d parts are here already", len(kept), d.count())
	}
	return d, nil
}

// openWhole opens a download that is complete. One that is of another object, or damaged, is removed; then, and when there is
// none, it returns nil.
func openWhole(dir string, id identity) (*download, error) {
	data, err := os.Open(filepath.Join(dir, wholeFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening the download: %w", err)
	}
	d := &download{id: id, dir: dir, data: data, there: map[int]bool{}}
	kept, same, err := d.read()
	if err == nil && same && len(kept) == d.count() {
		return d, nil
	}
	return nil, errors.Join(err, d.close(), d.discard())
}

// read returns the parts that are here and intact, and whether what is here is of the same object.
func (d *download) read() (kept []finishedPart, same bool, err error) {
	f, err := os.Open(filepath.Join(d.dir, partsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("opening the list of parts: %w", err)
	}
	defer func() { _ = f.Close() }()
	dec := json.NewDecoder(bufio.NewReader(f))
	var id identity
	if dec.Decode(&id) != nil || id != d.id {
		return nil, false, nil
	}
	for {
		var p finishedPart
		if dec.Decode(&p) != nil { // the end, or a line that was cut off with the power
			return kept, true, nil
		}
		ok, err := d.intact(p)
		if err != nil {
			return nil, true, err
		}
		if ok {
			d.there[p.Part] = true
			kept = append(kept, p)
		}
	}
}

// intact tells whether a part is on disk as it arrived.
func (d *download) intact(p finishedPart) (bool, error) {
	if p.Part < 0 || p.Part >= d.count() || d.there[p.Part] {
		return false, nil
	}
	off, length := d.span(p.Part)
	sum := crc32.New(castagnoli)
	n, err := io.Copy(sum, io.NewSectionReader(d.data, off, length))
	if err != nil {
		return false, fmt.Errorf("reading what is here of the download: %w", err)
	}
	return n == length && sum.Sum32() == p.CRC, nil
}

// rewrite begins the list of parts anew with those that are here, and gives the data file its size.
func (d *download) rewrite(kept []finishedPart) error {
	if err := d.data.Truncate(d.id.Size); err != nil {
		return fmt.Errorf("making room for %d bytes: %w", d.id.Size, err)
	}
	next, err := os.OpenFile(filepath.Join(d.dir, partsFile+".new"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("writing the list of parts: %w", err)
	}
	d.log = next
	enc := json.NewEncoder(next)
	err = enc.Encode(d.id)
	for _, p := range kept {
		err = errors.Join(err, enc.Encode(p))
	}
	err = errors.Join(err, os.Rename(next.Name(), filepath.Join(d.dir, partsFile)))
	if err != nil {
		return fmt.Errorf("writing the list of parts: %w", err)
	}
	return nil
}

// finished notes that a part is on disk.
func (d *download) finished(n int, crc uint32) error {
	line, err := json.Marshal(finishedPart{n, crc})
	if err != nil {
		return fmt.Errorf("encoding a part: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.log.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("writing the list of parts: %w", err)
	}
	d.there[n] = true
	return nil
}

// count is how many parts the object has.
func (d *download) count() int { return int((d.id.Size + d.id.PartSize - 1) / d.id.PartSize) }

// span is where a part begins and how long it is.
func (d *download) span(n int) (off, length int64) {
	off = int64(n) * d.id.PartSize
	return off, min(d.id.PartSize, d.id.Size-off)
}

// missing lists the parts that are not here, in order.
func (d *download) missing() []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []int
	for n := range d.count() {
		if !d.there[n] {
			out = append(out, n)
		}
	}
	return out
}

// discard removes what is here, because it is not what it should be.
func (d *download) discard() error {
	for _, name := range []string{partsFile, dataFile, wholeFile} {
		if err := os.Remove(filepath.Join(d.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the download: %w", err)
		}
	}
	return nil
}

// complete says that all is here and verified, and returns where.
func (d *download) complete() (string, error) {
	whole := filepath.Join(d.dir, wholeFile)
	if d.data.Name() == whole {
		return whole, nil
	}
	if err := os.Rename(d.data.Name(), whole); err != nil {
		return "", fmt.Errorf("completing the download: %w", err)
	}
	return whole, nil
}

func (d *download) close() error {
	err := d.data.Close()
	if d.log != nil {
		err = errors.Join(err, d.log.Close())
	}
	if err != nil {
		return fmt.Errorf("closing the download: %w", err)
	}
	return nil
}

// dirLock keeps two downloads from sharing a folder.
type dirLock struct{ file *os.File }

func lockDir(dir string) (*dirLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the download's folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the download's folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another attempt of the same step is still downloading: %w", err)
	}
	return &dirLock{f}, nil
}

func (l *dirLock) release() { _ = l.file.Close() }
