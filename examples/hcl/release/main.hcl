# A release that a person lets through: what it puts live is taken back where it does not answer, or where the run is cancelled, someone is
# told of a failure, and the lock on the function is opened whatever happened.
variable "function" {
  type        = string
  description = "The function to release"
  validation {
    condition     = can(regex("^[a-z0-9-]+$", var.function))
    error_message = "A function's name has lower-case letters, digits and -."
  }
}

variable "version" {
  type        = string
  description = "The version to put live"
}

variable "registry" { default = "localhost:5000" }

variable "approval_time" {
  default     = "24h"
  description = "How long the release waits for a person"
}

locals {
  live  = "${var.registry}/${var.function}:live"
  tools = "${var.registry}/tools"
}

pipeline "release" {
  description = "Puts a version of a function live, once a person lets it"
  labels      = { function = var.function }
  concurrency {
    key      = "release-${var.function}"
    on_limit = "reject" # who comes second is told so, and does not wait for a stranger's approval
  }

  step "image_pull" "before" {
    reference         = local.live
    policy            = "always"
    continue_on_error = true # there is nothing live before the first release
  }
  step "image_pull" "next" { reference = "${var.registry}/${var.function}:${var.version}" }

  step "approval" "go" {
    message = "Put ${var.function} ${var.version} (${step.next.digest}) live, in place of ${coalesce(step.before.digest, "nothing")}?"
    timeout = var.approval_time
  }

  step "container_run" "lock" {
    depends_on = [step.go]
    image      = local.tools
    command    = ["lock", var.function]
  }

  step "image_push" "live" {
    depends_on  = [step.lock]
    image       = step.next.image
    destination = local.live
    compensate "container_run" {
      image   = local.tools
      command = ["put-back", self.reference, coalesce(step.before.digest, "nothing")]
      retry { max_attempts = 10 }
    }
  }

  step "container_run" "probe" {
    image      = step.live.reference
    command    = ["healthcheck"]
    time_limit = "10s"
    retry {
      max_attempts = 3
      on           = ["exit"]
    }
    postcondition {
      condition     = self.stdout != ""
      error_message = "What was put live answers with nothing."
    }
  }

  on_failure {
    step "container_run" "tell" {
      image   = local.tools
      command = ["tell", "${var.function} ${var.version} was not released: ${run.error.code} in ${run.error.step}"]
    }
  }
  finally {
    step "container_run" "unlock" {
      when    = step.lock.status == "succeeded"
      image   = local.tools
      command = ["unlock", var.function]
    }
  }

  output "digest" { value = step.live.digest }
  output "approver" { value = step.go.approver }
}
