# A function's archive is fetched from S3, unpacked, built into an image, pushed to a registry and run once, under limits.
#
#     cpub run examples/hcl/function -var function_id=42 -var-file .env

variable "function_id" {
  type        = string
  description = "Which function: part of the object's key and of the image's name"
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._-]*$", var.function_id))
    error_message = "A function's id has lower-case letters, digits, '.', '_' and '-', since it becomes part of an image's name."
  }
}

variable "function_version" {
  type        = string
  default     = "1"
  description = "Which version of the function"
}

variable "bucket" {
  type        = string
  default     = "functions"
  description = "The bucket with functions/ID/VERSION.tar.gz"
}

variable "docker_registry" {
  type        = string
  default     = "localhost:5000"
  description = "Where the image is pushed"
}

variable "docker_base_image" {
  type        = string
  default     = "localhost:5000/function-base:latest"
  description = "The image that the function's Containerfile builds on, as its BASE_IMAGE"
}

variable "function_timeout_seconds" {
  type        = number
  default     = 5
  description = "How long one call may take"
  validation {
    condition     = var.function_timeout_seconds > 0
    error_message = "A function needs more than no time."
  }
}

variable "function_max_memory_mb" {
  type        = number
  default     = 128
  description = "How much memory one call may take, in MiB"
  validation {
    condition     = var.function_max_memory_mb >= 4
    error_message = "Nothing starts in less than 4 MiB."
  }
}

variable "function_max_concurrent" {
  type        = number
  default     = 10
  description = "How many calls may run at once"
}

variable "input" {
  type        = any
  default     = {}
  description = "What the function gets, as JSON in FUNCTION_INPUT"
}

pipeline "deploy_function" {
  description = "Build, publish and try a function from its archive"
  timeout     = "15m"

  step "object_fetch" "archive" {
    bucket = var.bucket
    key    = "functions/${var.function_id}/${var.function_version}.tar.gz"
  }
  step "archive_extract" "source" {
    archive = step.archive.file
  }
  step "image_build" "image" {
    context    = step.source.directory
    tags       = ["dart-function-${var.function_id}-v${var.function_version}:latest"]
    build_args = { BASE_IMAGE = var.docker_base_image }
    retry { max_attempts = 3 }
  }
  step "image_push" "publish" {
    image       = step.image.image
    destination = "${var.docker_registry}/dart-function-${var.function_id}-v${var.function_version}:latest"
  }
  step "container_run" "invoke" {
    image      = step.publish.reference
    memory     = "${var.function_max_memory_mb}m"
    cpus       = 0.5
    network    = "none"
    time_limit = "${var.function_timeout_seconds}s"
    env        = { FUNCTION_INPUT = jsonencode(var.input) }
  }

  output "result" { value = step.invoke.stdout }
}
