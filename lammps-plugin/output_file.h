// Files to which a run appends.
#ifndef DIFFNNP_OUTPUT_FILE_H
#define DIFFNNP_OUTPUT_FILE_H

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

namespace diffnnp {

// A file that is emptied when a program first writes it, unless the program continues it: after a restart file that
// names it has been read, and after `clear`. A file that is open is locked, so that partitions, or simultaneous runs,
// do not write the same one.
class OutputFile {
 public:
  // The file of a name, one object for all in this program that write it. Errors show when it is written.
  static std::shared_ptr<OutputFile> named(const std::string &name)
  {
    static std::map<std::string, std::weak_ptr<OutputFile>> open_files;
    std::weak_ptr<OutputFile> &entry = open_files[key(name)];
    std::shared_ptr<OutputFile> file = entry.lock();
    if (!file) entry = file = std::shared_ptr<OutputFile>(new OutputFile(name));
    return file;
  }

  // Makes the first write keep what is in the file.
  static void go_on_with(const std::string &name) { begun().insert(key(name)); }

  ~OutputFile() { close_file(); }
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;

  // Opens and locks the file, unless it is open. Returns the reason for failure, "" for none.
  std::string hold()
  {
    struct stat status;
    if (file >= 0 && fstat(file, &status) == 0 && status.st_nlink > 0) return "";
    close_file();
    file = open(name.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0) return strerror(errno);
    if (flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      close_file();
      return "another partition or program is writing it; give each a name of its own, such as NAME.${partition} with a "
             "variable of style world";
    }
    return "";
  }

  // Appends all of the text or nothing, after `head` where the file is empty. Returns the reason for failure, "" for
  // none.
  std::string append(const std::string &head, const std::string &text)
  {
    const std::string reason = hold();
    if (!reason.empty()) return reason;
    if (begun().insert(key(name)).second) {
      if (written_by_another()) {
        return "another partition or program has written it since this one began; give each a name of its own, such as "
               "NAME.${partition} with a variable of style world";
      }
      if (ftruncate(file, 0) != 0 && errno != EINVAL) return strerror(errno);
    }
    const off_t size = lseek(file, 0, SEEK_END);
    const int error = write_all(size > 0 ? text : head + text);
    if (error == 0) return "";
    (void) !ftruncate(file, size);
    close_file();
    return strerror(error);
  }

 private:
  // Whether the file, which this program has not written yet, has changed since the program began. Another program that
  // did that and has ended holds no lock.
  bool written_by_another() const
  {
    struct stat status;
    if (fstat(file, &status) != 0 || status.st_size == 0) return false;
    return status.st_mtim.tv_sec + 1e-9 * status.st_mtim.tv_nsec > start_of_program();
  }

  // Seconds since 1970; infinity where the system does not say.
  static double start_of_program()
  {
    std::ifstream stream("/proc/self/stat");
    std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    // The name of the program, in parentheses, may contain spaces. The start is field 22, and the second field after
    // the name is field 3.
    const size_t end = text.rfind(')');
    if (end == std::string::npos) return INFINITY;
    std::istringstream fields(text.substr(end + 1));
    std::string field;
    for (int k = 3; k <= 22; k++) fields >> field;
    struct timespec now, since_boot;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &since_boot);
    const double boot = now.tv_sec - since_boot.tv_sec + 1e-9 * (now.tv_nsec - since_boot.tv_nsec);
    return fields ? boot + std::stod(field) / sysconf(_SC_CLK_TCK) : INFINITY;
  }

  const std::string name;
  int file = -1;

  explicit OutputFile(const std::string &name) : name(std::filesystem::absolute(name)) {}

  static std::string key(const std::string &name) { return std::filesystem::absolute(name).lexically_normal(); }

  // Files that this program has begun to write.
  static std::set<std::string> &begun()
  {
    static std::set<std::string> names;
    return names;
  }

  // Returns an errno, or 0 on success.
  int write_all(const std::string &text) const
  {
    size_t done = 0;
    while (done < text.size()) {
      const ssize_t count = write(file, text.data() + done, text.size() - done);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return count < 0 ? errno : EIO;
      done += count;
    }
    return 0;
  }

  void close_file()
  {
    if (file >= 0) close(file);
    file = -1;
  }
};

}    // namespace diffnnp

#endif
