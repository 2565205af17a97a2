package contract

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// The abilities of container_run that are about more than its one process.
const (
	AbilityHealthcheck = "healthcheck"
	AbilitySidecar     = "sidecar"
)

// healthcheckBlock is a command that tells whether a container is well.
func healthcheckBlock(doc string) schema.Block {
	return schema.Block{
		Name: "healthcheck", Nesting: schema.NestingSingle, Doc: doc,
		Object: schema.Object{Attrs: []schema.Attr{
			required(list("command", "A command in the container, and its arguments: it is well if the exit code is 0. No shell is involved.")),
			defaults(duration("interval", "Time between the end of one check and the next."), `"1s"`),
			defaults(duration("timeout", "How long one check may take. One that takes longer has failed."), `"5s"`),
			defaults(number("retries", "So many checks in a row that fail make it unhealthy."), "3"),
			defaults(duration("start_period", "So long after its start, checks that fail do not count."), `"0s"`),
		}},
	}
}

// sidecarBlock is a container beside the step's own.
func sidecarBlock() schema.Block {
	return schema.Block{
		Name: "sidecar", Nesting: schema.NestingMap,
		Doc: "A container beside this one, for as long as this one runs. The two share the loopback interface (127.0.0.1), also with the network " +
			"`none`, and nothing else. Sidecars start first, and the step's own container once all of them are well (or at once, without a healthcheck). " +
			"What one writes is in the step's log under its name. One that ends by itself, or is unhealthy, fails the step as `sidecar`. " +
			"They are isolated as the step's own container by default is, each has limits of its own, and the policy's ceilings are for all of them together.",
		Object: schema.Object{
			Attrs: []schema.Attr{
				{
					Name: "image", Type: cty.DynamicPseudoType, Located: true, Required: true,
					Doc: "The image: the output of image_build or image_pull, or a reference that is pulled where needed.",
				},
				list("command", "The command and its arguments; the image's own if left out."),
				secrets(dict("env", "Environment variables, beside the image's own.")),
				text("workdir", "The working directory; the image's own if left out."),
				text("user", "User, or user:group; the image's own if left out."),
				defaults(size("memory", "The most memory."), `"128m"`),
				defaults(number("cpus", "CPUs, such as 0.5."), "0.5"),
				defaults(number("pids", "The most processes and threads."), "256"),
				defaults(flag("read_only", "Whether the root is read-only."), "true"),
				{Name: "tmpfs", Type: cty.Map(cty.String), Default: `{ "/tmp" = "64m" }`, Doc: "Folders in memory, and their sizes."},
			},
			Blocks: []schema.Block{healthcheckBlock("A command in the sidecar that tells whether it is ready, and then whether it is well.")},
		},
	}
}
