package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/cmd/cpub-dev/internal/seed"
)

// newPutCommand uploads into the S3 gateway.
func newPutCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "put FILE|FOLDER s3://BUCKET/KEY",
		Short: "Upload a file, or a folder as tar.gz, into the running stack",
		Long: `put uploads a file as one object and makes the bucket if there is none. A folder
is packed as tar.gz. It finds the stack by the environment that cpub-dev gives
(AWS_ENDPOINT_URL and its kin).`,
		Args:          cobra.ExactArgs(2),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := seed.Object(cmd.Context(), args[0], args[1]); err != nil {
				return &exitError{exitFailed, err}
			}
			return nil
		},
	}
}

// newImageCommand pushes a base image into the registry.
func newImageCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "image FOLDER HOST[:PORT]/NAME:TAG",
		Short: "Push a folder as an image of one layer, such as a base image",
		Long: `image makes an image whose root is the folder, pushes it and prints its digest.
The same folder gives the same digest.`,
		Args:          cobra.ExactArgs(2),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			digest, err := seed.Image(cmd.Context(), args[0], args[1])
			if err != nil {
				return &exitError{exitFailed, err}
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), digest)
			return err
		},
	}
}
