package eval

import "strings"

// habit says how something is done here that is done otherwise in Terraform, and in the files of CI systems; "" for all other names.
func (g grammar) habit(name string) string {
	if g.what == "a module" {
		return map[string]string{
			"resource":  "Work is done by steps: write `step \"TYPE\" \"NAME\" { … }` in a pipeline.",
			"data":      "Values are fetched by steps: write `step \"TYPE\" \"NAME\" { … }` in a pipeline.",
			"module":    "Another module's pipeline is run by a step: `step \"pipeline\" \"NAME\" { source = \"./folder\"  pipeline = \"NAME\" }`.",
			"provider":  "Providers are set up in worker.hcl. A step asks for one with `provider = PROVIDER.INSTANCE`.",
			"terraform": "The block is called cpub.",
			"output":    "Outputs stand in a pipeline.",
			"step":      "Steps stand in a pipeline: `pipeline \"NAME\" { step … }`.",
			"finally":   "It stands in a pipeline.", "on_failure": "It stands in a pipeline.", "concurrency": "It stands in a pipeline.",
			"moved": "A run that began keeps the plan that it has; nothing is to be moved.", "import": "There is no state to import into.",
			"check": "A step is checked by its blocks precondition and postcondition.",
		}[name]
	}
	if g.what == "a pipeline" {
		return map[string]string{
			"locals":   "Locals stand beside the pipelines, in the module.",
			"variable": "Variables stand beside the pipelines, in the module.",
			"schedule": "It stands beside the pipelines, in the module.",
			"steps":    "Each step is a block of its own: `step \"TYPE\" \"NAME\" { … }`.",
		}[name]
	}
	if !strings.HasPrefix(g.what, "step type ") {
		return ""
	}
	return map[string]string{
		"count":       "Use for_each, as in `for_each = toset([\"0\", \"1\"])`, or `when` for a step that may be left out.",
		"lifecycle":   "Conditions are blocks of the step itself: precondition and postcondition.",
		"provisioner": "A command is a step of its own, of the type \"container_run\".",
		"connection":  "Where a step runs is said by `provider`, and set up in worker.hcl.",
		"providers":   "One instance is named: `provider = PROVIDER.INSTANCE`.",
		"condition":   "A step that runs only sometimes has `when`.",
		"if":          "A step that runs only sometimes has `when`.",
		"needs":       "A step waits for what it names; for others with `depends_on = [step.NAME]`.",
		"retries":     "It is a block: `retry { max_attempts = 3 }`.",
		"environment": "The variables of a container are `env`.",
	}[name]
}

// foreign says what to write instead of a name that means something in Terraform alone.
func foreign(root string) string {
	return map[string]string{
		"terraform": "There are no workspaces here. Declare a variable for what differs.",
		"count":     "Instances are those of for_each: write each.key or each.value.",
		"data":      "What a step gives is named step.NAME.OUTPUT.",
		"module":    "What a pipeline gives that a step runs is named step.NAME.outputs.NAME.",
		"secret":    "A secret is named secret(\"NAME\").",
		"env":       "A variable takes its value from the environment as CPUB_VAR_NAME.",
	}[root]
}
