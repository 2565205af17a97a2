package build

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// secret is one text for RUN --mount=type=secret. Podman's API takes it as a file of the context, which it moves out of the context before
// anything is copied from there.
type secret struct {
	id, file, text string
}

// secretPrefix begins the names of the files of secrets.
const secretPrefix = ".cpub.secret-"

// secretID is what an id may be: what can stand between commas.
var secretID = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

func checkSecrets(all map[string]string) error {
	for _, id := range secretIDs(all) {
		if !secretID.MatchString(id) {
			return sdk.Invalidf("build_secrets", "%q cannot be the id of a secret: letters, digits, _, . and - are possible", id)
		}
	}
	return nil
}

func secretIDs(all map[string]string) []string {
	ids := make([]string, 0, len(all))
	for id := range all {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// secretsOf are the secrets of a build, under names that tell whose they are.
func secretsOf(req *sdk.Request, all map[string]string) (secrets []secret) {
	for n, id := range secretIDs(all) {
		secrets = append(secrets, secret{id: id, file: secretFile(req) + strconv.Itoa(n), text: all[id]})
	}
	return secrets
}

func secretFile(req *sdk.Request) string {
	return secretPrefix + owner.Short(req.Key) + "." + owner.RunHash(req.Run) + "."
}

// secretParams are the secrets as the build endpoint takes them.
func secretParams(secrets []secret) (params []string) {
	for _, s := range secrets {
		params = append(params, "id="+s.id+",src="+s.file)
	}
	return params
}

// writeFile writes a file into a context that is being packed.
func writeFile(w *tar.Writer, name string, mode int64, changed time.Time, text []byte) error {
	h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode, Size: int64(len(text)), ModTime: changed}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := w.Write(text)
	return err
}

// removeSecrets removes the contexts of builds that a killed service left, where they hold a secret's file that is unwanted. They lie on
// the disk of its host.
func (b *Builder) removeSecrets(ctx context.Context, unwanted func(leftover) bool) error {
	info, err := b.Client.Info(ctx)
	if err != nil {
		return err
	}
	if host, err := b.Client.Host(); err != nil || !host.Local() {
		return nil //nolint:nilerr // the disk of another machine cannot be seen
	}
	var errs []error
	for _, tmp := range []string{info.Store.ImageCopyTmpDir, "/var/tmp"} {
		if tmp == "" {
			continue
		}
		for _, at := range []string{"", "build"} { // moved out of the context, or not yet
			found, err := filepath.Glob(filepath.Join(tmp, "libpod_builder*", at, secretPrefix+"*"))
			errs = append(errs, err)
			for _, file := range found {
				if l, ok := parseSecretFile(file); ok && unwanted(l) {
					folder, _, _ := strings.Cut(strings.TrimPrefix(file, tmp+"/"), "/")
					errs = append(errs, os.RemoveAll(filepath.Join(tmp, folder)))
				}
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("removing the secrets of a build: %w", err)
	}
	return nil
}

// parseSecretFile tells whose a secret's file is.
func parseSecretFile(path string) (leftover, bool) {
	st, err := os.Stat(path)
	rest, ok := strings.CutPrefix(filepath.Base(path), secretPrefix)
	part := strings.Split(rest, ".")
	if err != nil || !ok || len(part) != 3 {
		return leftover{}, false
	}
	return leftover{short: part[0], runHash: part[1], created: st.ModTime()}, true
}
