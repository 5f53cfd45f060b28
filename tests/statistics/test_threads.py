from threadpoolctl import threadpool_info

from homogaudit.statistics.threads import on_one_thread


def blas_threads() -> list[int]:
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_linear_algebra_of_numpy_and_scipy_is_on_one_thread_inside_and_as_before_outside():
    on_one_thread(lambda: None)()
    before = blas_threads()
    inside = on_one_thread(blas_threads)()
    assert len(inside) >= 1 and set(inside) == {1}
    assert blas_threads() == before
