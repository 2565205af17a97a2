variable "bucket" {
  type        = string
  default     = "functions"
  description = "The bucket with the archive"
}

variable "key" {
  type        = string
  default     = "IMAGE.tar.gz"
  description = "The archive: a folder with a Containerfile, as tar.gz"
}

variable "registry" {
  type        = string
  default     = "localhost:5000"
  description = "Where the image is pushed"
}

variable "version" {
  type        = string
  default     = "1"
  description = "The image's tag"
  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]*$", var.version))
    error_message = "A version becomes an image's tag: it has letters, digits, '_', '.' and '-'."
  }
}

variable "invoke" {
  type        = bool
  default     = false
  description = "Run the image once, under limits"
}
