// Package config turns files into what the engine works with: a folder of pipeline files and the schemas of the step types into Plans, the
// sources of variables into one JSON object, and worker.hcl into its settings. What is wrong in them is told as diagnostics, all at once,
// in file order; WriteDiagnostics shows them.
package config
