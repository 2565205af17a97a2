package doctor

import (
	"context"
	"net/url"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
)

// copied are the files of another machine that are looked at.
func copied() []string {
	return append(idFiles(), "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/proc/sys/user/max_user_namespaces",
		"/proc/sys/kernel/unprivileged_userns_clone", "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "/etc/apparmor.d/podman", "/sys/fs/selinux/enforce")
}

// seeElsewhere copies what is looked at from the machine that Podman runs on, where the connection to it lets us see its files.
func (f *Facts) seeElsewhere(ctx context.Context, c *client.Client) {
	if f.Local || f.Err != nil {
		return
	}
	host, err := c.Host()
	if err != nil {
		return // told by podman_host
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	f.copyFiles(ctx, host)
	f.User = User{UID: -1}
	if u, err := url.Parse(f.Target.URI); err == nil {
		f.User.Name = u.User.Username()
	}
}

// copyFiles reads them all in one round trip. What cannot be read is as if it were not there.
func (f *Facts) copyFiles(ctx context.Context, host hostfs.Host) {
	copies := map[string]string{}
	names := copied()
	for n, content := range host.ReadFiles(ctx, names...) {
		if content.Err == nil {
			copies[names[n]] = string(content.Data)
		}
	}
	f.Files = &Host{Copies: copies}
}
