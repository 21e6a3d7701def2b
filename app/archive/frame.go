package archive

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// checkFrame says whether object is exactly one zstd frame with a checksum of its
// content: nothing before it, behind it or between, no dictionary, and no larger
// window than a segment needs.
func checkFrame(object []byte) error {
	var h zstd.Header
	if err := h.Decode(object); err != nil {
		return fmt.Errorf("it is no zstd frame: %w", err)
	}
	switch {
	case h.Skippable:
		return errors.New("it begins with a frame that holds nothing")
	case !h.HasCheckSum:
		return errors.New("its frame has no checksum")
	case h.DictionaryID != 0:
		return errors.New("its frame asks for a dictionary")
	case h.WindowSize > maxWindow, h.HasFCS && h.FrameContentSize > maxRawBytes:
		return errors.New("its frame asks for more memory than a segment needs")
	}
	const blockHeader, checksum = 3, 4
	rest := object[h.HeaderSize:]
	for last := false; !last; {
		if len(rest) < blockHeader {
			return errCutOff
		}
		b := uint32(rest[0]) | uint32(binary.LittleEndian.Uint16(rest[1:]))<<8
		size := int(b >> 3)
		if b>>1&3 == 1 { // one byte, repeated
			size = 1
		}
		if last = b&1 == 1; len(rest) < blockHeader+size {
			return errCutOff
		}
		rest = rest[blockHeader+size:]
	}
	switch {
	case len(rest) < checksum:
		return errCutOff
	case len(rest) > checksum:
		return fmt.Errorf("there are %d bytes behind its frame", len(rest)-checksum)
	}
	return nil
}

const maxWindow = 16 << 20

var errCutOff = errors.New("it ends early")
