# A service rolled out, and rolled back: the new version takes the old one's place and stays if it becomes healthy (if not, the provider puts the old
# one back by itself) and if a person keeps it; otherwise the version before runs again. The policy must name podman_service in `step_types`.
variable "version" {
  type        = string
  description = "The version to run"
}

variable "previous" {
  default     = ""
  description = "The version to go back to; none if there is none"
}

variable "registry" { default = "localhost:5000" }

variable "port" {
  type    = number
  default = 8080
}

pipeline "service" {
  description = "Rolls a version of the web service out"
  concurrency { key = "service-web" }

  step "image_pull" "next" { reference = "${var.registry}/web:${var.version}" }

  step "podman_service" "web" {
    name    = "web"
    image   = step.next.image
    network = "bridge"
    memory  = "256m"
    port {
      container_port = 8080
      host_port      = var.port
    }
    healthcheck {
      command = ["/web", "check"]
    }
    mount {
      path   = "/data"
      volume = "web-data"
    }
    # Runs when the run fails after this step, or is cancelled.
    compensate "podman_service" {
      name    = "web"
      state   = var.previous == "" ? "absent" : "running"
      image   = "${var.registry}/web:${var.previous}"
      network = "bridge"
      memory  = "256m"
      port {
        container_port = 8080
        host_port      = var.port
      }
      healthcheck {
        command = ["/web", "check"]
      }
      mount {
        path   = "/data"
        volume = "web-data"
      }
    }
  }

  step "approval" "keep" {
    message = "Keep version ${var.version} at ${join(", ", step.web.addresses)}?"
    timeout = "10m"
  }

  output "unit" {
    value = step.web.unit
  }
}
