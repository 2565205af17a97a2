# A backup of an image, with all its platforms, as an archive in a bucket, and the way back: the image that comes back has the digest of the
# one that was there. The source allows nothing but pulls, the destination pushes: policy.registries in worker.hcl names both.
variable "image" {
  type        = string
  default     = "localhost:5000/function:latest"
  description = "What to back up, or where to put what comes back"
}

variable "bucket" {
  default     = "backups"
  description = "Where the archives lie"
}

variable "key" {
  default     = "function.tar"
  description = "Under which key"
}

pipeline "backup" {
  description = "Puts an image into a bucket, and clears old builds away"

  step "image_copy" "image" { source = var.image } # without a destination: an archive
  step "object_put" "keep" {
    bucket       = var.bucket
    key          = var.key
    file         = step.image.archive
    content_type = "application/x-tar"
    metadata     = { digest = step.image.digest }
  }
  step "image_prune" "builds" {
    depends_on = [step.keep]
    filters    = { reference = "localhost/*" }
    keep_last  = 3
    older_than = "24h"
  }

  output "digest" { value = step.image.digest }
  output "freed_bytes" { value = step.builds.reclaimed_bytes }
}

pipeline "restore" {
  description = "Puts an image of a bucket back into a registry"

  step "object_fetch" "archive" {
    bucket = var.bucket
    key    = var.key
  }
  step "image_copy" "image" {
    archive     = step.archive.file
    destination = var.image
  }

  output "reference" { value = step.image.reference }
}
