import pickle

import h5py
import numpy as np
import pytest
import scipy.io

from lgn_tf.data.datasets import label_files, labels, masks, matlab
from lgn_tf.data.datasets.dataset import Dataset, GroundTruth, Video
from lgn_tf.data.datasets.registered import avenue

READERS = {
    "ucsd": label_files.read_ucsd,
    "frame-pred": label_files.read_frame_pred,
    "mnad": label_files.read_mnad,
    "csv": label_files.read_csv,
    "shanghaitech": label_files.read_each_array,
}


def dataset_of(path, version, names=("01", "02")):
    videos = tuple(Video(name, "test", path.parent / name) for name in names)
    found = GroundTruth(version, path, READERS[version])
    return Dataset(path.parent, "own", videos, (found,))


COUNTS = {"01": 5, "02": 3}


def test_ucsd_script(tmp_path):
    path = tmp_path / "x.m"
    path.write_text(
        "TestVideoFile = {};\n"
        "TestVideoFile{end+1}.gt_frame = [2:3];\n"
        "% TestVideoFile{end+1}.gt_frame = [1:1];\n"
        "TestVideoFile{end+1}.gt_frame = [1, 3:3]; % two\n"
    )
    found = labels.read_ground_truth(dataset_of(path, "ucsd"), COUNTS)
    np.testing.assert_array_equal(found["01"], [0, 1, 1, 0, 0])
    np.testing.assert_array_equal(found["02"], [1, 0, 1])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("nothing", "no line"),
        ("x.gt_frame = [1-3];", "Found there: '1-3'"),
        ("x.gt_frame = [1:2];", "each of the 2 test videos. Found there: 1"),
        ("x.gt_frame=[1:6];x.gt_frame=[];", "frames 1 to 5. Found there: 1 t"),
        ("x.gt_frame=[0:2];x.gt_frame=[];", "Found there: 0 to 2"),
        ("x.gt_frame=[3:2];x.gt_frame=[];", "Found there: 3 to 2"),
    ],
)
def test_bad_ucsd_script(tmp_path, text, match):
    path = tmp_path / "x.m"
    path.write_text(text)
    with pytest.raises(ValueError, match=match) as caught:
        labels.read_ground_truth(dataset_of(path, "ucsd"), COUNTS)
    assert str(path) in str(caught.value)


def cell(*entries):
    result = np.empty((1, len(entries)), object)
    result[0, :] = entries
    return result


def write_hdf5(path, name, entries):
    with h5py.File(path, "w", userblock_size=512) as file:
        references = np.empty((len(entries), 1), h5py.ref_dtype)
        for place, entry in enumerate(entries):
            stored = file.create_dataset(f"#refs#/{place}", data=entry.T)
            references[place, 0] = stored.ref
        file.create_dataset(name, data=references, dtype=h5py.ref_dtype)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")


@pytest.mark.parametrize("modern", [False, True])
def test_frame_pred_intervals(tmp_path, modern):
    path = tmp_path / "x.mat"
    entries = (np.array([[1, 4], [2, 5]]), np.array([[2], [2]]))
    if modern:
        write_hdf5(path, "gt", entries)
    else:
        scipy.io.savemat(path, {"gt": cell(*entries)})
    found = labels.read_ground_truth(dataset_of(path, "frame-pred"), COUNTS)
    np.testing.assert_array_equal(found["01"], [1, 1, 0, 1, 1])
    np.testing.assert_array_equal(found["02"], [0, 1, 0])


def test_a_clip_without_intervals(tmp_path):
    path = tmp_path / "x.mat"
    empty = np.zeros((0, 0))
    scipy.io.savemat(path, {"gt": cell(empty, np.array([[1], [1]]))})
    found = labels.read_ground_truth(dataset_of(path, "frame-pred"), COUNTS)
    assert not found["01"].any()


def test_bad_mat_files(tmp_path):
    path = tmp_path / "x.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file" + bytes(60))
    with pytest.raises(ValueError, match=r"not a readable .mat"):
        matlab.read_cell(path, "gt")
    scipy.io.savemat(path, {"other": np.zeros(3)})
    with pytest.raises(ValueError, match=r"cell array `gt`.*other"):
        matlab.read_cell(path, "gt")
    scipy.io.savemat(path, {"gt": np.zeros(3)})
    with pytest.raises(ValueError, match="no cell array"):
        matlab.read_cell(path, "gt")
    scipy.io.savemat(path, {"gt": cell(np.zeros((3, 1)), np.zeros((2, 1)))})
    with pytest.raises(ValueError, match=r"2 x N.*\(3, 1\)"):
        label_files.read_frame_pred(path, COUNTS)
    write_hdf5(path, "other", [np.zeros(2)])
    with pytest.raises(ValueError, match=r"cell array `gt`.*other"):
        matlab.read_cell(path, "gt")


@pytest.mark.parametrize("shape", [(8,), (1, 8), (8, 1)])
def test_arrays_of_the_whole_set(tmp_path, shape):
    path = tmp_path / "frame_labels_x.npy"
    np.save(path, np.array([0, 1, 0, 0, 1, 1, 0, 1.0]).reshape(shape))
    found = labels.read_ground_truth(dataset_of(path, "mnad"), COUNTS)
    np.testing.assert_array_equal(found["01"], [0, 1, 0, 0, 1])
    np.testing.assert_array_equal(found["02"], [1, 0, 1])


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.zeros(7), "each of the 8 test frames. Found there: 7"),
        (np.full(8, 2), r"0 or 1. Found there: \[2\]"),
        (np.full(8, np.nan), r"0 or 1. Found there: \[nan\]"),
        (np.zeros((2, 4)), r"\(N,\) or \(1, N\). Found there: \(2, 4\)"),
    ],
)
def test_bad_arrays(tmp_path, array, match):
    path = tmp_path / "x.npy"
    np.save(path, array)
    with pytest.raises(ValueError, match=match):
        labels.read_ground_truth(dataset_of(path, "mnad"), COUNTS)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("the array was unpickled",))


def test_a_pickled_array_is_never_loaded(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.array([Trap()], object), allow_pickle=True)
    with pytest.raises(ValueError, match="not pickled"):
        label_files.load(path)
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match="not pickled"):
        label_files.load(path)


def test_an_array_cut_short(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros(1000))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="not cut short"):
        label_files.load(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="not cut short"):
        label_files.load(path)


def test_shanghaitech_arrays(tmp_path):
    folder = tmp_path / "test_frame_mask"
    folder.mkdir()
    np.save(folder / "01.npy", np.array([0, 0, 1, 1, 0], np.int8))
    np.save(folder / "02.npy", np.zeros(4, np.int8))
    dataset = dataset_of(folder, "shanghaitech")
    with pytest.raises(ValueError, match=r"02\.npy.*3 frames of 02.*: 4"):
        labels.read_ground_truth(dataset, COUNTS)
    found = labels.read_ground_truth(dataset, {"01": 5, "02": 4})
    np.testing.assert_array_equal(found["01"], [0, 0, 1, 1, 0])


def test_csv(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("video, start, end\n02.avi,2,3\n\n02,1,1\n")
    found = labels.read_ground_truth(dataset_of(path, "csv"), COUNTS)
    assert not found["01"].any()
    np.testing.assert_array_equal(found["02"], [1, 1, 1])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "first line"),
        ("a,b,c\n", "Found there: 'a,b,c'"),
        ("video,start,end\n01,1\n", "line 2.*Found there: '01,1'"),
        ("video,start,end\n01,-1,2\n", "line 2"),
        ("video,start,end\n03,1,2\n", "name a test video. Found there: '03'"),
        ("video,start,end\n01,0,2\n", "frames 1 to 5. Found there: 0 to 2"),
    ],
)
def test_bad_csv(tmp_path, text, match):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=match):
        labels.read_ground_truth(dataset_of(path, "csv"), COUNTS)


def test_an_unknown_version(tmp_path):
    dataset = dataset_of(tmp_path / "x.csv", "csv")
    with pytest.raises(ValueError, match=r"one of csv. Received: version='x'"):
        labels.read_ground_truth(dataset, COUNTS, "x")


def test_intervals_and_back():
    given = np.array([1, 1, 0, 1, 0, 0, 1], np.uint8)
    intervals = labels.to_intervals(given)
    assert intervals == [(1, 2), (4, 4), (7, 7)]
    back = labels.from_intervals(intervals, 7, "x")
    np.testing.assert_array_equal(back, given)


def test_alignment_drops_what_has_no_prediction():
    given = np.array([1, 0, 0, 0, 1, 0, 1], np.uint8)
    np.testing.assert_array_equal(labels.align(given, 4), [1, 0, 1])
    assert len(labels.align(given[:3], 4)) == 0


@pytest.mark.parametrize("value", [1, 255])
def test_masks_of_one_and_of_255(tmp_path, value):
    path = tmp_path / "01.npy"
    given = np.zeros((2, 3, 4), np.uint8)
    given[1, 2, 3] = value
    np.save(path, given)
    found = masks.read_masks(Video("01", "test", tmp_path, path))
    np.testing.assert_array_equal(found, given > 0)


def test_masks_in_a_modern_mat(tmp_path):
    path = tmp_path / "1_label.mat"
    given = np.zeros((2, 3, 4), np.uint8)
    given[0, 1, 2] = 1
    write_hdf5(path, "volLabel", list(given))
    found = masks.read_masks(
        Video("01", "test", tmp_path, path, avenue.read_masks)
    )
    np.testing.assert_array_equal(found, given > 0)


def test_bad_masks(tmp_path):
    path = tmp_path / "01.npy"
    video = Video("01", "test", tmp_path, path)
    np.save(path, np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"frames, height, width.*\(3, 4\)"):
        masks.read_masks(video)
    np.save(path, np.arange(12).reshape(1, 3, 4))
    with pytest.raises(ValueError, match="0 and one other value"):
        masks.read_masks(video)
    path = tmp_path / "1_label.mat"
    scipy.io.savemat(
        path, {"volLabel": cell(np.zeros((2, 3)), np.zeros((3, 3)))}
    )
    with pytest.raises(ValueError, match="one size"):
        masks.read_masks(Video("01", "test", tmp_path, path, avenue.read_masks))
    folder = tmp_path / "01_gt"
    folder.mkdir()
    (folder / "1.bmp").write_bytes(b"")
    with pytest.raises(ValueError, match=r"1\.bmp: not a readable mask"):
        masks.read_masks(Video("01", "test", tmp_path, folder))
    with pytest.raises(ValueError, match="no masks"):
        masks.read_masks(Video("01", "test", tmp_path))


def test_a_table_that_is_no_text(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_bytes(b"video,start,end\nb\xe4r,1,2\n")
    with pytest.raises(ValueError, match=r"labels\.csv: must be a table"):
        label_files.read_csv(path, COUNTS)
