# Few targets; each one is a script in hack/ that says what it does. CI runs the same ones (.ci/run).

.DEFAULT_GOAL := help
.PHONY: help build demo dev test bench lint generate

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build every binary into bin/
	@hack/build.sh

demo: ## Install what is needed, start the stack, run the example function, stop everything
	@hack/demo.sh

dev: ## Keep the stack up (Temporal and its UI, S3, registry, a worker) until Ctrl-C
	@hack/dev.sh

test: ## Unit and integration tests against the real services
	@hack/test.sh

bench: ## Compare with bash, podman and a bare Temporal workflow
	@hack/bench.sh

lint: ## What CI checks in the source
	@hack/lint.sh

generate: ## Make the generated code and pages again
	@hack/generate.sh
