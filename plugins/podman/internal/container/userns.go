package container

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/containers/podman/v5/pkg/specgen"
	"go.podman.io/storage/pkg/idtools"
	"go.podman.io/storage/types"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
	"github.com/containerpub/cpub/sdk"
)

// slotSize is how many ids a container has to itself.
const slotSize = 1 << 16

// subIDs are the host's ids that are set aside for rootful containers.
type subIDs struct{ uid, gid, slots int }

// subIDUser is whom the ids belong to in /etc/subuid and /etc/subgid: Podman's own `--userns=auto` takes them from there too.
const subIDUser = "containers"

// etc is where the files are that set ids aside.
const etc = "/etc"

// errNoSubIDs tells that no ids are set aside.
var errNoSubIDs = fmt.Errorf("the host has set no %d ids aside for user namespaces of containers; give it some: "+
	"`echo %s:1000000:1048576 | tee -a /etc/subuid /etc/subgid`", slotSize, subIDUser)

// readSubIDs reads what is set aside; there are no slots if that is nothing. A file that is there and cannot be understood is an
// error: taken for nothing, it would cost every container its user namespace.
func readSubIDs(ctx context.Context, host hostfs.Host, dir string) (subIDs, error) {
	uidFile, gidFile := path.Join(dir, "subuid"), path.Join(dir, "subgid")
	got := host.ReadFiles(ctx, uidFile, gidFile)
	uid, uids, uerr := subRange(uidFile, got[0])
	gid, gids, gerr := subRange(gidFile, got[1])
	if err := errors.Join(uerr, gerr); err != nil {
		return subIDs{}, fmt.Errorf("finding ids for the container's user namespace: %w", err)
	}
	return subIDs{uid: uid, gid: gid, slots: min(uids, gids) / slotSize}, nil
}

func subRange(name string, file hostfs.Content) (first, size int, err error) {
	if errors.Is(file.Err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	if file.Err != nil {
		return 0, 0, file.Err
	}
	for line := range strings.Lines(string(file.Data)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if f[0] != subIDUser {
			continue
		}
		if len(f) != 3 {
			return 0, 0, fmt.Errorf("%s: the line %q is not USER:FIRST:COUNT", name, strings.TrimSpace(line))
		}
		first, err1 := strconv.Atoi(f[1])
		size, err2 := strconv.Atoi(f[2])
		if err := errors.Join(err1, err2); err != nil {
			return 0, 0, fmt.Errorf("%s: the line %q is not USER:FIRST:COUNT: %w", name, strings.TrimSpace(line), err)
		}
		return first, size, nil
	}
	return 0, 0, nil
}

// slots hands out ranges of ids, the same few again and again: the store keeps a copy of an image for each range. Podman's own
// `auto` would choose too, but its 4.3.1 locks up for good when one container is created so while another ends. The zero
// value is ready.
type slots struct {
	mu   sync.Mutex
	used map[int]int
}

// take gives the lowest range that the fewest running containers have. Call free when the container has ended.
func (s *slots) take(ids subIDs) (slot int, free func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used == nil {
		s.used = map[int]int{}
	}
	for i := range ids.slots {
		if s.used[i] < s.used[slot] {
			slot = i
		}
	}
	s.used[slot]++
	return slot, sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.used[slot]--
	})
}

// takeIDs gives a range of ids: to what outlives its step always the same one, by its name.
func (a *run) takeIDs(ids subIDs) (slot int, free func()) {
	if a.detached == "" {
		return a.ids.take(ids)
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(a.detached)) // a hash takes everything
	return int(sum.Sum32() % uint32(ids.slots)), func() {}
}

// userNamespace is the namespace for an attribute's value. What was left out is auto where the host has ids for it.
func (a *run) userNamespace(ctx context.Context, rootless bool) (specgen.Namespace, *types.IDMappingOptions, error) {
	if mode := a.in.Userns; !rootless && (mode == "keep-id" || mode == "nomap") {
		return specgen.Namespace{}, nil, sdk.Invalidf("userns", "%s is about the user that Podman runs as, and this Podman runs as root: use `auto`, "+
			"which gives the container ids of its own, or a rootless Podman", mode)
	}
	switch {
	case a.in.Userns == "keep-id":
		return specgen.Namespace{NSMode: specgen.KeepID}, nil, nil
	case a.in.Userns == "nomap":
		return specgen.Namespace{NSMode: specgen.NoMap}, nil, nil
	case a.in.Userns == "auto" && rootless:
		return specgen.Namespace{NSMode: specgen.Auto}, &types.IDMappingOptions{AutoUserNs: true}, nil
	case a.in.Userns == "host" || rootless:
		return specgen.Namespace{NSMode: specgen.Host}, nil, nil
	}
	host, err := a.Client.Host()
	if err != nil && a.in.Userns == "auto" {
		return specgen.Namespace{}, nil, sdk.Invalidf("userns", "which ids the host has for user namespaces cannot be seen: %w", err)
	}
	if err != nil {
		a.req.Logf("warning: the container has no user namespace, its root is the host's: which ids the host has for them cannot be seen: %s", err)
		return specgen.Namespace{NSMode: specgen.Host}, nil, nil
	}
	ids, err := readSubIDs(ctx, host, etc)
	if err != nil {
		return specgen.Namespace{}, nil, sdk.Permanent(err)
	}
	if ids.slots == 0 {
		if a.in.Userns == "auto" {
			return specgen.Namespace{}, nil, sdk.Invalidf("userns", "%w", errNoSubIDs)
		}
		a.req.Logf("warning: the container has no user namespace, its root is the host's: %s", errNoSubIDs)
		return specgen.Namespace{NSMode: specgen.Host}, nil, nil
	}
	slot, free := a.takeIDs(ids)
	a.freeIDs = free
	return specgen.Namespace{NSMode: specgen.Private}, &types.IDMappingOptions{
		UIDMap: []idtools.IDMap{{ContainerID: 0, HostID: ids.uid + slot*slotSize, Size: slotSize}},
		GIDMap: []idtools.IDMap{{ContainerID: 0, HostID: ids.gid + slot*slotSize, Size: slotSize}},
	}, nil
}
