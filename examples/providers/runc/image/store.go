//go:build linux

// Package image pulls images from registries and keeps them unpacked, one folder an image, which all of its containers share.
package image

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/containerpub/cpub/sdk"
)

// Store is a folder of unpacked images:
//
//	images/ID/root     the image's files, owned by the ids of a container's user namespace
//	images/ID/config   its OCI configuration
//	names/HASH         which image a reference was the last time it was pulled
//	holds/KEY          which image a step needs until its run ends
//
// It is safe for concurrent use.
type Store struct {
	Dir        string // private, and there
	Location   string // the store's name in located values
	Registries []sdk.Registry
	Shift      Shift
	MaxBytes   int64 // of one unpacked image

	using sync.RWMutex // held for reading by who looks for images, for writing by who removes some
	keyed sync.Map     // image's id -> *sync.Mutex, held by who unpacks it
}

// Image is an image of the store.
type Image struct {
	ID     string // hex: the digest of its configuration
	Root   string // the folder of its files, never written to
	Config v1.Config
}

// Use finds a located image, which must be in this store. Call done when it is in use in a way that Sweep is told of.
func (s *Store) Use(l sdk.Located) (img Image, done func(), err error) {
	if l.Location != s.Location {
		return Image{}, nil, sdk.Permanentf("image: the image is in the store %s, and this provider instance serves the store %s", l.Location, s.Location)
	}
	s.using.RLock()
	img, err = s.open(l.ID)
	if errors.Is(err, fs.ErrNotExist) {
		err = sdk.Permanentf("image: the image %s is no longer in the store", l.ID)
	}
	if err != nil {
		s.using.RUnlock()
		return Image{}, nil, err
	}
	return img, s.using.RUnlock, nil
}

// open reads an image, and notes that it was needed.
func (s *Store) open(id string) (Image, error) {
	if !isID(id) {
		return Image{}, sdk.Permanentf("%q is not the id of an image", id)
	}
	dir := s.folder(id)
	var file v1.ConfigFile
	if err := readJSON(filepath.Join(dir, "config"), &file); err != nil {
		return Image{}, err
	}
	now := time.Now()
	if err := os.Chtimes(dir, now, now); err != nil {
		return Image{}, fmt.Errorf("noting the use of an image: %w", err)
	}
	return Image{ID: id, Root: filepath.Join(dir, "root"), Config: file.Config}, nil
}

// folder is where an image is. What was unpacked for other ids is another folder.
func (s *Store) folder(id string) string {
	return filepath.Join(s.Dir, "images", fmt.Sprintf("%s.%d.%d", id, s.Shift.UID, s.Shift.GID))
}

func isID(id string) bool {
	_, err := hex.DecodeString(id)
	return err == nil && len(id) == hex.EncodedLen(sha256.Size)
}

// name is what is known of a reference.
type name struct {
	Reference string `json:"reference"`
	Image     string `json:"image"`
	Digest    string `json:"digest"` // of the manifest
}

// named finds the image that a reference was, if that is still there.
func (s *Store) named(ref string) (n name, there bool) {
	if err := readJSON(s.namePath(ref), &n); err != nil {
		return name{}, false
	}
	_, err := s.open(n.Image)
	return n, err == nil
}

func (s *Store) namePath(ref string) string { return filepath.Join(s.Dir, "names", Hash(ref)) }

// Hash is a name that is fit for a file, of a text that need not be.
func Hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Random is a name that nothing else has.
func Random() string { return strings.ToLower(rand.Text()) }

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}
