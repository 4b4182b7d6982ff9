#include "longhand/exporters/torch_loader.h"

#include <fmt/core.h>

namespace longhand::exporters {
namespace {

constexpr const char* kTorchLoader = R"(
DTYPES = {"F32": torch.float32, "I64": torch.int64}


def read_safetensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file. Raises ValueError for a damaged one."""
    data = bytearray(Path(path).read_bytes())
    length = struct.unpack_from("<Q", data)[0] if len(data) >= 8 else 0
    if not 0 < length <= len(data) - 8:
        raise ValueError(f"{path}: not a safetensors file, or truncated")
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    body, tensors = data[8 + length :], {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        dtype = DTYPES.get(entry["dtype"])
        count = math.prod(entry["shape"])
        if dtype is None or not 0 <= begin <= end <= len(body) or end - begin != count * dtype.itemsize:
            raise ValueError(f"{path}: tensor {name!r} does not fit the file")
        flat = torch.frombuffer(body, dtype=dtype, count=count, offset=begin) if count else torch.empty(0, dtype=dtype)
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors, metadata


def write_safetensors(path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    header, chunks, offset = {"__metadata__": metadata}, [], 0
    names = {dtype: name for name, dtype in DTYPES.items()}
    for name, tensor in tensors.items():
        dtype = torch.int64 if tensor.dtype == torch.int64 else torch.float32
        values = tensor.detach().cpu().to(dtype).contiguous().reshape(-1)
        chunk = ctypes.string_at(values.data_ptr(), values.numel() * dtype.itemsize) if values.numel() else b""
        shape = list(tensor.shape)
        header[name] = {"dtype": names[dtype], "shape": shape, "data_offsets": [offset, offset + len(chunk)]}
        chunks.append(chunk)
        offset += len(chunk)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(b"".join([struct.pack("<Q", len(text)), text, *chunks]))
)";

}  // namespace

std::string torch_loader_text(const std::string& class_name) {
  return kTorchLoader + fmt::format(R"(

def load(path: str | Path | None = None) -> {0}:
    """The model with the weights of `path`, by default the .safetensors file beside this one."""
    tensors, metadata = read_safetensors(path or Path(__file__).with_suffix(".safetensors"))
    model = {0}()
    model.load_state_dict(tensors)
    model.metadata = metadata
    return model.eval()


def save(model: {0}, path: str | Path) -> None:
    """Writes the weights, for load() and for `longhand import`."""
    write_safetensors(path, model.state_dict(), model.metadata)
)",
                                    class_name);
}

std::string torch_encode_text() {
  return R"(
    @property
    def symbols(self) -> list[str]:
        """The texts of the input's symbols, in order."""
        return json.loads(self.metadata["symbols"])

    def encode(self, text: str) -> Tensor:
        """A text as symbols [1, time], the longest that fits first. Raises ValueError for one that is none."""
        numbers = {symbol: number for number, symbol in enumerate(self.symbols)}
        sizes = sorted({len(symbol) for symbol in numbers if symbol}, reverse=True)
        found, at = [], 0
        while at < len(text):
            size = next((size for size in sizes if text[at : at + size] in numbers), 0)
            if size == 0:
                raise ValueError(f"{text[at]!r} is no symbol of the model")
            found.append(numbers[text[at : at + size]])
            at += size
        return torch.tensor([found])
)";
}

}  // namespace longhand::exporters
