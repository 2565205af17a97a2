package wire

import (
	"encoding/json"
	"fmt"

	"github.com/containerpub/cpub/internal/wire/pb"
	"github.com/containerpub/cpub/sdk/schema"
)

// maxBlockDepth is how deep blocks may nest in a schema.
const maxBlockDepth = 16

func fromObject(o schema.Object) (*pb.Object, error) {
	out := &pb.Object{}
	for _, a := range o.Attrs {
		attr, err := fromAttr(a)
		if err != nil {
			return nil, err
		}
		out.Attrs = append(out.Attrs, attr)
	}
	for _, b := range o.Blocks {
		object, err := fromObject(b.Object)
		if err != nil {
			return nil, fmt.Errorf("block %q: %w", b.Name, err)
		}
		out.Blocks = append(out.Blocks, &pb.Block{
			Name: b.Name, Nesting: string(b.Nesting), Object: object, Doc: b.Doc, Required: b.Required,
		})
	}
	return out, nil
}

func toObject(o *pb.Object) (schema.Object, error) { return toObjectAt(o, 0) }

func toObjectAt(o *pb.Object, depth int) (schema.Object, error) {
	out := schema.Object{}
	if depth > maxBlockDepth {
		return out, fmt.Errorf("blocks nest deeper than %d", maxBlockDepth)
	}
	for _, a := range o.GetAttrs() {
		attr, err := toAttr(a)
		if err != nil {
			return out, err
		}
		out.Attrs = append(out.Attrs, attr)
	}
	for _, b := range o.GetBlocks() {
		object, err := toObjectAt(b.GetObject(), depth+1)
		if err != nil {
			return out, fmt.Errorf("block %q: %w", b.GetName(), err)
		}
		out.Blocks = append(out.Blocks, schema.Block{
			Name: b.GetName(), Nesting: schema.Nesting(b.GetNesting()), Object: object, Doc: b.GetDoc(), Required: b.GetRequired(),
		})
	}
	return out, nil
}

func fromAttr(a schema.Attr) (*pb.Attr, error) {
	typ, err := json.Marshal(a.Type)
	if err != nil {
		return nil, fmt.Errorf("encoding the type of attribute %q: %w", a.Name, err)
	}
	return &pb.Attr{
		Name: a.Name, Type: typ, Doc: a.Doc, Required: a.Required, Default: a.Default, Sensitive: a.Sensitive,
		Located: a.Located, Deprecated: a.Deprecated, Format: string(a.Format), Enum: a.Enum, Secrets: a.Secrets,
	}, nil
}

func toAttr(a *pb.Attr) (schema.Attr, error) {
	typ, err := decodeType(a.GetType())
	if err != nil {
		return schema.Attr{}, fmt.Errorf("attribute %q: %w", a.GetName(), err)
	}
	return schema.Attr{
		Name: a.GetName(), Type: typ, Doc: a.GetDoc(), Required: a.GetRequired(), Default: a.GetDefault(), Sensitive: a.GetSensitive(),
		Located: a.GetLocated(), Deprecated: a.GetDeprecated(), Format: schema.Format(a.GetFormat()), Enum: a.GetEnum(), Secrets: a.GetSecrets(),
	}, nil
}
