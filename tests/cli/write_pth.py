"""write_pth(path, {key: float32 array or None}): a PyTorch file of a dict, without PyTorch."""
import collections, pickle, sys, types, zipfile

torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")


class FloatStorage:
    def __init__(self, key, array):
        self.key, self.array = key, array


def _rebuild_tensor_v2():
    pass


FloatStorage.__module__, _rebuild_tensor_v2.__module__ = "torch", "torch._utils"
torch.FloatStorage, utils._rebuild_tensor_v2 = FloatStorage, _rebuild_tensor_v2
sys.modules.update({"torch": torch, "torch._utils": utils})


class Tensor:
    def __init__(self, storage):
        self.storage = storage

    def __reduce__(self):
        a = self.storage.array
        strides = tuple(s // a.itemsize for s in a.strides)
        return _rebuild_tensor_v2, (self.storage, 0, a.shape, strides, False, collections.OrderedDict())


class Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        if isinstance(obj, FloatStorage):
            return "storage", FloatStorage, obj.key, "cpu", obj.array.size
        return None


def write_pth(path, tensors):
    import io
    storages = {k: FloatStorage(str(i), v) for i, (k, v) in enumerate(tensors.items()) if v is not None}
    data = io.BytesIO()
    Pickler(data, 2).dump({k: Tensor(storages[k]) if v is not None else None for k, v in tensors.items()})
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("archive/data.pkl", data.getvalue())
        z.writestr("archive/version", "3\n")
        for s in storages.values():
            z.writestr("archive/data/" + s.key, s.array.tobytes())
