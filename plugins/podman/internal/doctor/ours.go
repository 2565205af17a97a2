package doctor

import (
	"fmt"
	"time"

	"github.com/containerpub/cpub/plugins/podman/internal/identity"
	"github.com/containerpub/cpub/sdk"
)

// forgotten is how long ago a container of ours has ended that nobody removes: its run is over, and no worker sweeps.
const forgotten = 24 * time.Hour

// leftovers tells whether containers of runs are there that nobody removes.
func leftovers(f *Facts) []sdk.Finding {
	if f.Info == nil {
		return nil
	}
	if f.Reading != nil {
		return fault(fmt.Sprintf("the containers of the store cannot be listed: %v", f.Reading), "run `podman ps --all` as the service's user: it says what is wrong")
	}
	n, oldest := 0, f.Now
	for _, c := range f.Ended {
		if f.Now.Sub(c.At) < forgotten {
			continue
		}
		n++
		if c.At.Before(oldest) {
			oldest = c.At
		}
	}
	if n == 0 {
		return fine("no containers of ours are forgotten")
	}
	return warning(fmt.Sprintf("%d containers of ours ended more than a day ago, the first on %s, and nobody has removed them", n, oldest.Format(time.DateTime)),
		"let a worker run on this Podman: it removes what closed runs left; or `podman container prune --filter label=io.cpub.run --filter until=24h`")
}

// identityVolume tells whether the store's name is one that we gave it.
func identityVolume(f *Facts) []sdk.Finding {
	switch {
	case f.Info == nil || f.Reading != nil:
		return nil
	case f.Identity == nil:
		return fine("the store gets its name when a worker first uses it")
	case f.Identity[identity.Label] == "":
		return fault(fmt.Sprintf("the volume %s has no label %s: it is not ours, and no worker can name the store", identity.Volume, identity.Label),
			fmt.Sprintf("if nothing needs it: `podman volume rm %s`", identity.Volume))
	}
	return fine("the store is called %s", f.Identity[identity.Label])
}
