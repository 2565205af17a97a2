package main

import (
	"context"

	"github.com/spf13/cobra"
)

func newDf(c *stdio) *cobra.Command { _ = context.Background; return &cobra.Command{Use: "df"} }
