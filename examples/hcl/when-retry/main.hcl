# A step that runs only when it is asked for, one that waits for it without using it, and failures that are worth another attempt.

variable "image" {
  type        = string
  description = "The image to run, such as localhost:5000/job:latest"
}

variable "warm_up" {
  type        = bool
  default     = false
  description = "Pull the image and run it once before it counts"
}

variable "attempts" {
  type    = number
  default = 3
}

pipeline "run_job" {
  description = "Run a job that sometimes fails"
  timeout     = "10m"

  step "image_pull" "image" {
    when      = var.warm_up
    reference = var.image
    timeout   = "2m"
  }
  step "container_run" "warm_up" {
    when    = var.warm_up
    image   = var.image
    command = ["job", "--dry-run"]
    depends_on = [step.image]
  }
  step "container_run" "job" {
    image      = var.image
    command    = ["job"]
    time_limit = "30s"
    depends_on = [step.warm_up]
    retry {
      max_attempts        = var.attempts
      initial_interval    = "500ms"
      backoff_coefficient = 2
      max_interval        = "10s"
      on                  = ["exit", "time_limit"]
    }
  }

  output "warmed_up" { value = step.warm_up.status == "succeeded" }
  output "result" { value = try(jsondecode(step.job.stdout), step.job.stdout) }
}
