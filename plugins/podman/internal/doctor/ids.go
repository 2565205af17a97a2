package doctor

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/containerpub/cpub/sdk"
)

const (
	// oneNamespace is how many ids one container wants.
	oneNamespace = 1 << 16
	// rootfulUser is whom the ids of rootful containers belong to in /etc/subuid and /etc/subgid, rootfulSize how many they get: enough
	// for sixteen at a time that share none.
	rootfulUser = "containers"
	rootfulSize = 16 * oneNamespace
	// firstID is where ids of containers begin that nobody else has.
	firstID = 1_000_000
)

// idFiles are the files that set ids aside.
func idFiles() []string { return []string{"/etc/subuid", "/etc/subgid"} }

// idRange is one line of such a file.
type idRange struct {
	owner       string
	first, size int
}

func (r idRange) end() int { return r.first + r.size }

func (r idRange) String() string { return fmt.Sprintf("%s:%d:%d", r.owner, r.first, r.size) }

// readRanges reads such a file.
func readRanges(h *Host, file string) ([]idRange, error) {
	lines, err := h.Lines(file)
	if err != nil {
		return nil, err
	}
	var all []idRange
	for _, line := range lines {
		f := strings.Split(line, ":")
		if len(f) != 3 {
			return nil, fmt.Errorf("%s: the line %q is not USER:FIRST:COUNT", file, line)
		}
		first, err1 := strconv.Atoi(f[1])
		size, err2 := strconv.Atoi(f[2])
		if err1 != nil || err2 != nil || first < 0 || size < 0 {
			return nil, fmt.Errorf("%s: the line %q is not USER:FIRST:COUNT", file, line)
		}
		all = append(all, idRange{f[0], first, size})
	}
	return all, nil
}

// owner is whom the ids of the service's containers belong to.
func (f *Facts) owner() User {
	if f.rootless() {
		return f.User
	}
	return User{Name: rootfulUser, UID: -1}
}

// has tells whether a range is that user's, by name or by number.
func (u User) has(r idRange) bool {
	return r.owner == u.Name && u.Name != "" || u.UID >= 0 && r.owner == strconv.Itoa(u.UID)
}

// freeRange is a range of ids that no line of any of the files has.
func freeRange(h *Host, owner string, size int) idRange {
	first := firstID
	for _, file := range idFiles() {
		ranges, err := readRanges(h, file)
		if err != nil {
			continue // another check tells of it
		}
		for _, r := range ranges {
			first = max(first, (r.end()+oneNamespace-1)/oneNamespace*oneNamespace)
		}
	}
	return idRange{owner, first, size}
}

// idsOf counts the ids that a file sets aside for a user.
func idsOf(h *Host, file string, u User) (int, error) {
	ranges, err := readRanges(h, file)
	total := 0
	for _, r := range ranges {
		if u.has(r) {
			total += r.size
		}
	}
	return total, err
}

// wanting judges both files: does the owner of the containers' ids have enough?
func wanting(f *Facts, size int, lacking, enough string) []sdk.Finding {
	owner := f.owner()
	add := freeRange(f.Files, owner.String(), size)
	var short, files []string
	var fixes []sdk.Fix
	for _, file := range idFiles() {
		n, err := idsOf(f.Files, file, owner)
		if err != nil {
			return fault(err.Error(), "correct that line: USER:FIRST:COUNT, such as "+add.String())
		}
		if n < oneNamespace {
			short = append(short, fmt.Sprintf("%d in %s", n, file))
			files = append(files, file)
			if f.Host != nil { // it is this machine's
				fixes = append(fixes, sdk.Fix{Kind: sdk.FixLine, Path: file, Line: add.String()})
			}
		}
	}
	if len(short) == 0 {
		return fine("%s has %s", owner, enough)
	}
	remedy := fmt.Sprintf("set ids aside: `echo %s | tee -a %s`", add, strings.Join(files, " "))
	if f.rootless() {
		remedy += ", then, as the user, `podman system migrate`"
	}
	return fault(fmt.Sprintf("%s has %s of the %d ids that a container wants: %s", owner, strings.Join(short, " and "), oneNamespace, lacking), remedy, fixes...)
}

// userNamespaces tells whether rootful containers get a user namespace.
func userNamespaces(f *Facts) []sdk.Finding {
	if f.Files == nil || f.rootless() {
		return nil
	}
	return wanting(f, rootfulSize, "the root of a container is the host's", "ids for user namespaces of containers")
}

// subIDs tells whether a rootless Podman has ids beside the user's own.
func subIDs(f *Facts) []sdk.Finding {
	if f.Files == nil || !f.rootless() {
		return nil
	}
	if strings.Contains(f.Files.Read("/etc/nsswitch.conf"), "\nsubid:") {
		return fine("ids of users come from where /etc/nsswitch.conf says")
	}
	return wanting(f, oneNamespace, "images with files of other users cannot be unpacked", "ids for containers")
}

// subIDOverlap tells whether others have the ids of the service's containers too.
func subIDOverlap(f *Facts) []sdk.Finding {
	if f.Files == nil {
		return nil
	}
	owner := f.owner()
	for _, file := range idFiles() {
		ranges, err := readRanges(f.Files, file)
		if err != nil {
			return nil // told where ids are counted
		}
		for _, own := range ranges {
			for _, other := range ranges {
				if owner.has(own) && !owner.has(other) && own.first < other.end() && other.first < own.end() {
					return fault(fmt.Sprintf("%s: %s and %s share ids: a process that leaves a container of the one may use files of the other", file, own, other),
						fmt.Sprintf("give %s ids of its own in %s: %s; then, as that user, `podman system migrate`", owner, file, freeRange(f.Files, owner.String(), own.size)))
				}
			}
			if account := f.Files.accountIn(file, own); owner.has(own) && account != "" {
				return fault(fmt.Sprintf("%s: %s holds the id of the account %s", file, own, account),
					fmt.Sprintf("give %s ids in %s that no account has: %s; then, as that user, `podman system migrate`", owner, file, freeRange(f.Files, owner.String(), own.size)))
			}
		}
	}
	return fine("nobody else has the ids of %s", owner)
}

// accountIn is an account, or for /etc/subgid a group, whose id lies in a range.
func (h *Host) accountIn(file string, r idRange) string {
	accounts := "/etc/passwd"
	if file == "/etc/subgid" {
		accounts = "/etc/group"
	}
	lines, err := h.Lines(accounts)
	if err != nil {
		return ""
	}
	for _, line := range lines {
		if f := strings.Split(line, ":"); len(f) > 2 {
			if uid, err := strconv.Atoi(f[2]); err == nil && uid >= r.first && uid < r.end() {
				return f[0]
			}
		}
	}
	return ""
}
