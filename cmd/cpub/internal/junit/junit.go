// Package junit writes the results of tests in the XML of JUnit, which CI systems show.
package junit

import (
	"encoding/xml"
	"fmt"
	"io"
	"time"
)

// Suite is the cases of one file.
type Suite struct {
	Name  string
	Cases []Case
}

// Case is one case. At most one of Failure and Error is set: what did not hold, and why it could not be judged.
type Case struct {
	Name           string
	Elapsed        time.Duration
	Failure, Error *Problem
}

// Problem is a line for lists, and all that is known.
type Problem struct{ Message, Text string }

type (
	xmlSuites struct {
		XMLName xml.Name `xml:"testsuites"`
		counts
		Suites []xmlSuite `xml:"testsuite"`
	}
	xmlSuite struct {
		Name string `xml:"name,attr"`
		counts
		Cases []xmlCase `xml:"testcase"`
	}
	counts struct {
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Errors   int    `xml:"errors,attr"`
		Time     string `xml:"time,attr"`

		elapsed time.Duration
	}
	xmlCase struct {
		Name      string      `xml:"name,attr"`
		ClassName string      `xml:"classname,attr"`
		Time      string      `xml:"time,attr"`
		Failure   *xmlProblem `xml:"failure"`
		Error     *xmlProblem `xml:"error"`
	}
	xmlProblem struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// Write writes suites as one document.
func Write(w io.Writer, suites []Suite) error {
	doc := xmlSuites{}
	for _, s := range suites {
		out := xmlSuite{Name: s.Name}
		for _, c := range s.Cases {
			out.Cases = append(out.Cases, xmlCase{
				Name: c.Name, ClassName: s.Name, Time: seconds(c.Elapsed), Failure: problem(c.Failure), Error: problem(c.Error),
			})
			out.add(c)
			doc.add(c)
		}
		out.Time = seconds(out.elapsed)
		doc.Suites = append(doc.Suites, out)
	}
	doc.Time = seconds(doc.elapsed)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("writing JUnit XML: %w", err)
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("writing JUnit XML: %w", err)
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return fmt.Errorf("writing JUnit XML: %w", err)
	}
	return nil
}

func (n *counts) add(c Case) {
	n.Tests++
	n.elapsed += c.Elapsed
	switch {
	case c.Error != nil:
		n.Errors++
	case c.Failure != nil:
		n.Failures++
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

func problem(p *Problem) *xmlProblem {
	if p == nil {
		return nil
	}
	return &xmlProblem{Message: p.Message, Text: p.Text}
}
