# Text files of this folder become pages: a script in a container makes them, and what it leaves is collected. The pages are built into an image,
# the report becomes an object.
#
#     cpub run examples/hcl/pages -var image=localhost:5000/busybox:latest

variable "image" {
  type        = string
  default     = "localhost:5000/busybox:latest"
  description = "An image with /bin/sh, sed and wc"
}

variable "title" {
  type        = string
  default     = "Notes"
  description = "The title of every page"
}

variable "bucket" {
  type        = string
  default     = "functions"
  description = "Where the report goes"
}

pipeline "publish_notes" {
  description = "Make pages of notes, in a container that has no network and can write to nothing but its outputs"

  step "container_run" "make" {
    image  = var.image
    env    = { TITLE = var.title }
    script = file("make.sh")

    # What goes in, by its path in the container.
    files = { "/notes" = artifact("notes") }

    # What comes out, by name: a folder where the path ends in "/", else a file.
    collect = {
      site   = "/out/site/"
      report = "/out/report.txt"
    }
    ulimits = { fsize = "1048576" } # no page has more than 1 MiB
  }

  step "image_build" "site" {
    context       = step.make.collected.site
    containerfile = "FROM scratch\nCOPY . /srv/www/\n"
    tags          = ["notes:latest"]
  }

  step "object_put" "report" {
    bucket = var.bucket
    key    = "notes/report.txt"
    file   = step.make.collected.report
  }

  output "report" { value = step.report.url }
  output "image" { value = step.site.tags[0] }
}
