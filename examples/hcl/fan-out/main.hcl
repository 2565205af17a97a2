# Steps that do not depend on each other run at once: one archive is fetched and unpacked, and three containers look at it side by side.

variable "bucket" {
  type    = string
  default = "functions"
}

variable "key" {
  type        = string
  description = "The object: an archive with a Containerfile"
}

variable "arguments" {
  type = object({
    lint  = optional(list(string), ["lint"])
    test  = optional(list(string), ["test", "--short"])
    audit = optional(list(string), ["audit"])
  })
  default     = {}
  description = "What each container is called with"
}

locals {
  name = trimsuffix(basename(var.key), ".tar.gz")
}

pipeline "check_archive" {
  description  = "Build an archive once, and check it three ways at the same time"
  max_parallel = 3
  labels       = { archive = local.name }

  step "object_fetch" "archive" {
    bucket = var.bucket
    key    = var.key
  }
  step "archive_extract" "source" {
    archive = step.archive.file
    exclude = ["**/.git/**"]
  }
  step "image_build" "image" {
    context = step.source.directory
    tags    = ["check-${lower(local.name)}:latest"]
  }

  step "container_run" "lint" {
    image   = step.image.image
    command = var.arguments.lint
  }
  step "container_run" "test" {
    image      = step.image.image
    command    = var.arguments.test
    memory     = "256m"
    time_limit = "1m"
  }
  step "container_run" "audit" {
    image   = step.image.image
    command = var.arguments.audit
  }

  step "object_put" "report" {
    bucket       = var.bucket
    key          = "reports/${local.name}.json"
    content_type = "application/json"
    content = jsonencode({
      entries = step.source.entries
      results = {
        for name, result in { lint = step.lint, test = step.test, audit = step.audit } :
        name => { exit_code = result.exit_code, seconds = result.receipt.cpu_time }
      }
    })
  }

  output "report" { value = step.report.url }
}
