;;; menu-test.el --- The menu and its entries  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Every command that is offered after installing the package can be reached
;; from the menu, by a key of its own; what cannot be done now says why.

;;; Code:

(require 'test-helper)
(require 'package)

(defun menu-test--entries (menu)
  "Return (KEY COMMAND PLIST) of each entry of MENU."
  (let (found)
    (cl-labels ((walk (node)
                  (cond ((vectorp node) (mapc #'walk node))
                        ((and (consp node) (eq :key (car-safe (car-safe (cdr-safe (cdr node))))))
                         (let ((fields (nth 2 node)))
                           (push (list (plist-get fields :key) (plist-get fields :command)
                                       fields)
                                 found)))
                        ((proper-list-p node) (mapc #'walk node)))))
      (walk (get menu 'transient--layout)))
    (nreverse found)))

(defun menu-test--menus ()
  "Return every menu of the package."
  (require 'meta-log-peer-sync-menu)
  (let (found)
    (mapatoms (lambda (symbol)
                (when (and (get symbol 'transient--prefix)
                           (string-prefix-p "meta-log-peer-sync-" (symbol-name symbol)))
                  (push symbol found))))
    found))

(defun menu-test--autoloaded ()
  "Return the commands in the autoloads file of the package, made anew."
  (let* ((folder (make-temp-file "mlps-menu" t))
         (output (expand-file-name "x-autoloads.el" folder))
         (source (file-name-directory (locate-library "meta-log-peer-sync")))
         (inhibit-message t) found)
    (unwind-protect
        (progn
          (if (fboundp 'loaddefs-generate)
              (loaddefs-generate source output)
            (require 'autoload)
            (with-no-warnings (make-directory-autoloads source output)))
          (with-temp-buffer
            (insert-file-contents output)
            (condition-case nil
                (while t
                  (pcase (read (current-buffer))
                    (`(autoload ',name ,_file ,_doc ,interactive . ,_)
                     (when interactive (push name found)))))
              (end-of-file nil))))
      (delete-directory folder t))
    found))

(ert-deftest menu-test-every-command-is-reachable ()
  (let ((reached nil) (waiting (list 'meta-log-peer-sync-menu))
        (menus (menu-test--menus)))
    (while waiting
      (let ((command (pop waiting)))
        (unless (memq command reached)
          (push command reached)
          (when (memq command menus)
            (setq waiting (append (mapcar #'cadr (menu-test--entries command)) waiting))))))
    (let ((offered (menu-test--autoloaded)))
      (should (> (length offered) 40))
      (should-not (cl-set-difference offered reached)))))

(ert-deftest menu-test-keys-are-unique ()
  (dolist (menu (menu-test--menus))
    (let ((keys (mapcar #'car (menu-test--entries menu))))
      (should keys)
      (should (equal keys (delete-dups (copy-sequence keys)))))))

(ert-deftest menu-test-what-cannot-be-done-says-why ()
  (test-helper-with-fake
    (require 'meta-log-peer-sync-menu)
    (cl-flet ((why (command)
                (let ((entry (cl-find command (menu-test--entries 'meta-log-peer-sync-menu)
                                      :key #'cadr)))
                  (and (plist-get (nth 2 entry) :inapt-if)
                       (funcall (plist-get (nth 2 entry) :inapt-if)))))
              (shown ()
                (with-current-buffer (get-buffer " *transient*")
                  (buffer-substring-no-properties (point-min) (point-max)))))
      (should-not (why 'meta-log-peer-sync-start))
      (should (equal "not running" (why 'meta-log-peer-sync-stop)))
      (should (equal "nobody known" (why 'meta-log-peer-sync-accept-peer)))
      (meta-log-peer-sync-start)
      (should (test-helper-until (= 1 (hash-table-count meta-log-peer-sync-core-peers))))
      (should (equal "running" (why 'meta-log-peer-sync-start)))
      (should-not (why 'meta-log-peer-sync-stop))
      (should-not (why 'meta-log-peer-sync-accept-peer))
      (with-temp-buffer
        (should (equal "no file here" (why 'meta-log-peer-sync-mode)))
        (meta-log-peer-sync-menu)
        (unwind-protect
            (let ((text (shown)))
              (should (string-match-p "Start (running)" text))
              (should (string-match-p "Share this file (no file here)" text))
              (should (string-match-p "k Stop +m Share" text))
              (should-not (string-match-p "BUG" text)))
          (transient-quit-all))))))

(ert-deftest menu-test-nothing-is-loaded-before ()
  (with-temp-buffer
    (call-process (expand-file-name invocation-name invocation-directory) nil t nil
                  "-Q" "--batch" "-L" (file-name-directory
                                       (locate-library "meta-log-peer-sync"))
                  "-l" "meta-log-peer-sync" "--eval"
                  "(princ (list (featurep 'transient) (commandp 'meta-log-peer-sync-menu)))")
    (should (equal "(nil t)" (buffer-string)))))

(ert-deftest menu-test-questions-to-the-sidecar ()
  "Health, the own identity and safety words: what is shown is harmless text."
  (test-helper-with-fake
    (meta-log-peer-sync-start)
    (should (test-helper-until (= 1 (hash-table-count meta-log-peer-sync-core-peers))))
    (cl-letf (((symbol-function 'meta-log-peer-sync-core-request)
               (lambda (method _params success &optional _error)
                 (funcall success
                          (pcase method
                            ("health" '(:checks [(:name "store" :ok t :detail "fine")
                                                 (:name "disk" :ok :json-false
                                                        :detail "ful\nl %s")]))
                            (_ '(:peer_id "peer-x" :name "a\nda" :protection "none"
                                          :fingerprint "0000" :words "one two")))))))
      (meta-log-peer-sync-health)
      (should (test-helper-said "\\`ok   store: fine\nFAIL disk: ful\\?l %s\\'"))
      (meta-log-peer-sync-identity)
      (should (test-helper-said "name a\\?da, protected by none\n0000\none two"))
      (should (equal "peer-x" (current-kill 0)))
      (meta-log-peer-sync-safety-words (concat "peer-" (make-string 52 ?b)))
      (should (test-helper-said "\none two\\'")))))

(ert-deftest menu-test-peers-and-the-log ()
  (test-helper-with-fake
    (meta-log-peer-sync-start)
    (should (test-helper-until (= 1 (hash-table-count meta-log-peer-sync-core-peers))))
    (let ((id (concat "peer-" (make-string 52 ?b))))
      (meta-log-peer-sync-connect id)
      (should (test-helper-until (test-helper-logged "peers.connect")))
      (meta-log-peer-sync-block-peer id)
      (should (test-helper-until (test-helper-said "b is blocked")))
      (should (equal id (plist-get (car (test-helper-logged "trust.block")) :peer_id))))
    (meta-log-peer-sync-rpc-show-log)
    (with-current-buffer "*meta-log-peer-sync log*"
      (should (test-helper-until (string-match-p "fake sidecar: hello" (buffer-string))))
      (should buffer-read-only))))

(provide 'menu-test)
;;; menu-test.el ends here
