package sdk

import (
	"fmt"

	"github.com/containerpub/cpub/sdk/schema"
)

// Artifact is a file or directory on its way between steps. In an input it carries Digest, Size, MediaType and Name, and
// Request.Path gives its bytes. In an output it is made by File or Directory: the host takes the bytes from there, verifies
// and stores them, and the next step sees a digest.
type Artifact struct {
	Digest    string `json:"digest,omitempty"` // "sha256:<hex>"
	Size      int64  `json:"size,omitempty"`   // bytes; of a directory, of its canonical tar
	MediaType string `json:"media_type,omitempty"`
	Name      string `json:"name,omitempty"`

	// Path is where the bytes of an output are: below Request.Scratch. Never set in an input.
	Path string `json:"path,omitempty"`
}

// MediaTypeDirectory is the media type of directory artifacts: their canonical tar.
const MediaTypeDirectory = schema.MediaTypeDirectory

// MediaTypeBytes is the media type of files of which nothing else is known.
const MediaTypeBytes = "application/octet-stream"

// File is an output artifact of the file at path, which lies below Request.Scratch. The provider leaves it alone from then on.
func File(path, name, mediaType string) *Artifact {
	return &Artifact{Path: path, Name: name, MediaType: mediaType}
}

// Directory is an output artifact of the folder at path, which lies below Request.Scratch.
func Directory(path, name string) *Artifact {
	return &Artifact{Path: path, Name: name, MediaType: MediaTypeDirectory}
}

// Located is a value that exists in one place only, such as an image in a Podman store.
type Located struct {
	ID       string `json:"id"`
	Location string `json:"location"`
}

func (l Located) String() string { return fmt.Sprintf("%s@%s", l.ID, l.Location) }
