package serve

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// frame is a SubscribeResponse with a report, as the journal keeps it: encoded. However many
// subscribers there are, a report is encoded once, and its bytes are shared.
type frame struct {
	cursor string
	report []byte
}

// The field numbers of SubscribeResponse.
const (
	cursorField protowire.Number = 1
	reportField protowire.Number = 2
)

// codec is the standard protobuf codec, which also knows frames.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(proto.Name)} }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	f, ok := v.(*frame)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	const tagsAndLengths = 1 + 1 + 1 + 10
	head := make([]byte, 0, tagsAndLengths+len(f.cursor))
	head = protowire.AppendTag(head, cursorField, protowire.BytesType)
	head = protowire.AppendString(head, f.cursor)
	head = protowire.AppendTag(head, reportField, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(len(f.report)))
	return mem.BufferSlice{mem.SliceBuffer(head), mem.SliceBuffer(f.report)}, nil
}
